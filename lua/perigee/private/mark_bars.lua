-- SPDX-License-Identifier: MIT
--
-- Boxes from the base to a height: bars, and the bins of a histogram.
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local ipairs, math, table, tostring, type = ipairs, math, table, tostring, type

local bars = {sample = draw.sample_patch}

function bars:bounds(_, ylog)
  local lo, hi = math.huge, -math.huge
  for i = 1, #self.heights do
    local h = self.heights[i]
    if h == h and math.abs(h) < math.huge and (not ylog or h > 0) then lo, hi = math.min(lo, h), math.max(hi, h) end
  end
  if lo > hi then return end
  if not ylog then lo, hi = math.min(lo, 0), math.max(hi, 0) end
  return self.left[1], self.right[#self.right], lo, hi
end

-- Calls visit(left, top, right, bottom) in pixels for each box there is.
function bars:each(view, visit)
  local y = view.y
  local floor = y:place(y.log and y.lo or 0)
  for i = 1, #self.heights do
    local h = self.heights[i]
    local top = y:place(h)
    if top == top and math.abs(h) < math.huge then
      local l, r = view.x:place(self.left[i]), view.x:place(self.right[i])
      visit(math.min(l, r), math.min(top, floor), math.max(l, r), math.max(top, floor))
    end
  end
end

function bars:draw(view)
  local canvas = view.canvas
  view.pen:color(self.color, self.alpha)
  self:each(view, function(l, t, r, b)
    canvas:rect(l, t, r - l, b - t)
    canvas:fill()
  end)
  if self.edge then
    canvas:color(1, 1, 1)
    canvas:pen(math.min(0.6 * view.pen.unit, 1))
    self:each(view, function(l, t, r, b)
      if r - l < 4 then return end
      canvas:rect(l, t, r - l, b - t)
      canvas:stroke()
    end)
  end
end

function bars:cover(view, out)
  self:each(view, function(l, t, r, b)
    for k = 0, 4 do
      local x = l + (r - l) * k / 4
      out[#out + 1] = {x, t, x, b}
    end
  end)
end

-- ---- bar ------------------------------------------------------------------------------------

local bar = read.join(bars, {name = "bar"})

bar.options = {label = read.text(), color = read.color(), alpha = read.share(1), width = read.positive(0.8)}

--- figure:bar([x,] heights [, opts]) -> figure
-- Bars from 0 to heights.
-- @param x  array or list of numbers, ascending, or list of texts, which stand below their bars; default 1..n
-- @param heights  array n or list
-- @param opts.width  number: share of the distance between bars (0.8)
-- @param opts.label  and color, alpha: as for line
function bar.read(r, x, heights, opts)
  local names
  if type(x) == "table" and not args.is_array(x) and type(x[1]) == "string" and heights ~= nil then
    names = x
    x = pg.linspace(1, #names, #names)
  end
  local a, b, given, arg = r:xy(x, heights, opts, "heights")
  local layer = r:options(arg, given, bar.options)
  local at = a:totable()
  local step = #at > 1 and math.huge or 1
  for i = 2, #at do
    if at[i] <= at[i - 1] or at[i] ~= at[i] then
      r:fail(1, ("x: expected ascending values, element %d is not above the one before"):format(i))
    end
    step = math.min(step, at[i] - at[i - 1])
  end
  local half = layer.width * step / 2
  layer.heights, layer.left, layer.right = b:totable(), {}, {}
  for i, v in ipairs(at) do layer.left[i], layer.right[i] = v - half, v + half end
  if names then
    local list = {}
    for i, v in ipairs(names) do list[i] = tostring(v) end
    r.figure.settings.xticks = {at, list}
  end
  layer.sticky = {y0 = 0, y1 = 0}
  return layer
end

-- ---- hist -----------------------------------------------------------------------------------

local hist = read.join(bars, {name = "hist", edge = true, sticky = {y0 = 0}})

hist.options = {label = read.text(), color = read.color(), alpha = read.share(0.85), bins = read.any(),
  range = read.pair(), density = read.flag(false)}

-- How many bins of v between lo and hi: Freedman and Diaconis (1981), at least Sturges (1926).
local function count_bins(v, lo, hi)
  if lo == hi then return 1 end
  local quarters = pg.quantile(v, pg.array({0.25, 0.75}))
  local width = 2 * (quarters[2] - quarters[1]) / (#v) ^ (1 / 3)
  local sturges = math.ceil(math.log(#v, 2)) + 1
  local bins = width > 0 and math.ceil((hi - lo) / width) or sturges
  return math.floor(math.max(1, sturges, math.min(bins, 400)))
end

--- figure:hist(x [, opts]) -> figure
-- How often values fall into equal bins; NaN and infinities are left out.
-- @param x  array of any shape, or list
-- @param opts.bins  integer or list of edges; default by Freedman and Diaconis, at least Sturges
-- @param opts.range  {lo, hi}
-- @param opts.density  boolean: the area is 1 (false)
-- @param opts.label  and color, alpha: as for line
function hist.read(r, x, opts)
  if args.is_array(x) and x.ndim ~= 1 then x = x:reshape(x.size) end
  local v = r:column(1, "x", x)
  local layer = r:options(2, opts, hist.options)
  v = #v > 0 and v:compress(v:isfinite()) or v
  layer.heights, layer.left, layer.right = {}, {}, {}
  if #v == 0 then return layer end
  local range, bins = layer.range, layer.bins
  if bins == nil then
    bins = count_bins(v, range and range[1] or v:min(), range and range[2] or v:max())
  elseif type(bins) == "number" then
    bins = args.integer("hist", 2, "bins", bins, 1, 100000)
  else
    bins = r:column(2, "bins", bins)
  end
  local counts, edges = pg.histogram(v, bins, {range = range, density = layer.density or nil})
  layer.heights = counts:totable()
  local at = edges:totable()
  layer.left, layer.right = {table.unpack(at, 1, #at - 1)}, {table.unpack(at, 2)}
  return layer
end

return {bar, hist}
