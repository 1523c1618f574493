-- SPDX-License-Identifier: MIT
--
-- Groups of numbers side by side: boxes by their quartiles (Tukey 1977) and violins by their density.
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local ipairs, math, tostring, type = ipairs, math, tostring, type

-- A list of 1-d arrays without what is not finite, from a list of them, a matrix (a group a column) or one array.
local function groups_of(r, v)
  local list = {}
  if args.is_array(v) and v.ndim == 2 then
    for k = 1, v.shape[2] do list[k] = v:slice({}, k) end
  elseif args.is_array(v) or (type(v) == "table" and type(v[1]) == "number") then
    list[1] = v
  elseif type(v) == "table" then
    for k, one in ipairs(v) do list[k] = one end
  else
    r:fail(1, "groups: expected a list of arrays, a matrix or an array, got " .. args.got(v))
  end
  for k, one in ipairs(list) do
    local a = r:column(1, ("groups[%d]"):format(k), one)
    list[k] = #a > 0 and a:compress(a:isfinite()) or a
  end
  return list
end

local function check_names(r, name, v)
  if type(v) ~= "table" then r:fail(r.arg, name .. ": expected a list of texts, got " .. args.got(v)) end
  return v
end

local function check_places(r, name, v)
  return r:column(r.arg, name, v):totable()
end

local shared = {label = read.text(), color = read.color(), alpha = read.share(1), width = read.positive(0.5),
  names = {check = check_names}, x = {check = check_places}}

local function read_groups(r, groups, opts, options)
  local list = groups_of(r, groups)
  local layer = r:options(2, opts, options)
  layer.at = layer.x or {}
  if layer.x and #layer.x ~= #list then r:fail(2, ("x: expected %d places, got %d"):format(#list, #layer.x)) end
  for k = 1, #list do layer.at[k] = layer.at[k] or k end
  if layer.names then
    local texts = {}
    for k, v in ipairs(layer.names) do texts[k] = tostring(v) end
    if #texts ~= #list then r:fail(2, ("names: expected %d texts, got %d"):format(#list, #texts)) end
    r.figure.settings.xticks = {layer.at, texts}
  end
  return layer, list
end

local function bounds(self)
  local x0, x1, y0, y1 = math.huge, -math.huge, math.huge, -math.huge
  for k, g in ipairs(self.groups) do
    if g.lo then
      x0, x1 = math.min(x0, self.at[k] - self.width / 2), math.max(x1, self.at[k] + self.width / 2)
      y0, y1 = math.min(y0, g.lo), math.max(y1, g.hi)
    end
  end
  if x0 <= x1 then return x0 - 0.25 * self.width, x1 + 0.25 * self.width, y0, y1 end
end

-- Pixels: left, middle, right of group k.
local function across(self, view, k)
  local half = self.width / 2
  return view.x:place(self.at[k] - half), view.x:place(self.at[k]), view.x:place(self.at[k] + half)
end

local function cover(self, view, out)
  for k, g in ipairs(self.groups) do
    if g.lo then
      local l, m, r = across(self, view, k)
      local top, bottom = view.y:place(g.hi), view.y:place(g.lo)
      for _, u in ipairs{l, m, r} do out[#out + 1] = {u, bottom, u, top} end
    end
  end
end

-- ---- boxplot --------------------------------------------------------------------------------

local boxplot = {name = "boxplot", bounds = bounds, cover = cover, sample = draw.sample_patch}
boxplot.options = read.join(shared, {whiskers = read.positive(1.5), size = read.positive(4)})

--- figure:boxplot(groups [, opts]) -> figure
-- A box for each group from its first to its third quartile, a line at the median, whiskers to the last values within
-- 1.5 times the box' height of it, and a ring for each value beyond. What is not finite is left out.
-- @param groups  list of arrays, a matrix (a group a column), or one array
-- @param opts.names  list of texts below the boxes
-- @param opts.x  list of numbers: where they stand; default 1, 2, ...
-- @param opts.width  number: of a box, in units of x (0.5)
-- @param opts.whiskers  number: how many box heights they may reach (1.5)
-- @param opts.size  number: the rings' size in points (4)
-- @param opts.label  and color, alpha: as for line
-- @source Tukey 1977
function boxplot.read(r, groups, opts)
  local layer, list = read_groups(r, groups, opts, boxplot.options)
  layer.groups = {}
  for k, v in ipairs(list) do
    local g = {}
    if #v > 0 then
      local q = pg.quantile(v, pg.array{0.25, 0.5, 0.75}):totable()
      local reach = layer.whiskers * (q[3] - q[1])
      local inside = v:ge(q[1] - reach) & v:le(q[3] + reach)
      local near = v:compress(inside)
      g = {quartiles = q, low = near:min(), high = near:max(), lo = v:min(), hi = v:max(),
        beyond = v:compress(~inside)}
    end
    layer.groups[k] = g
  end
  return layer
end

function boxplot:draw(view)
  local canvas, pen = view.canvas, view.pen
  for k, g in ipairs(self.groups) do
    if g.lo then
      local l, m, r = across(self, view, k)
      local q1, q2, q3 = view.y:place(g.quartiles[1]), view.y:place(g.quartiles[2]), view.y:place(g.quartiles[3])
      pen:color(self.color, 0.35 * self.alpha)
      canvas:rect(math.min(l, r), math.min(q1, q3), math.abs(r - l), math.abs(q3 - q1))
      canvas:fill()
      pen:color(self.color, self.alpha)
      draw.set_pen(pen, 1.2)
      canvas:rect(math.min(l, r), math.min(q1, q3), math.abs(r - l), math.abs(q3 - q1))
      canvas:stroke()
      local cap = (r - l) / 4
      for _, end_of in ipairs{{q1, view.y:place(g.low)}, {q3, view.y:place(g.high)}} do
        canvas:move(m, end_of[1])
        canvas:line(m, end_of[2])
        canvas:move(m - cap, end_of[2])
        canvas:line(m + cap, end_of[2])
        canvas:stroke()
      end
      draw.set_pen(pen, 2.2)
      canvas:move(l, q2)
      canvas:line(r, q2)
      canvas:stroke()
      if #g.beyond > 0 then
        draw.map_data(view)
        draw.set_pen(pen, 1)
        canvas:points(pg.full({#g.beyond}, self.at[k]), g.beyond, "ring", self.size / 2 * pen.unit)
      end
    end
  end
end

-- ---- violin ---------------------------------------------------------------------------------

local violin = {name = "violin", bounds = bounds, cover = cover, sample = draw.sample_patch}
violin.options = read.join(shared, {bandwidth = read.positive(), width = read.positive(0.8)})

--- figure:violin(groups [, opts]) -> figure
-- The density of each group, upright and mirrored, with a bar from its first to its third quartile and a dot at the
-- median. The density is a sum of Gaussians of Silverman's width; what is not finite is left out.
-- @param groups  list of arrays, a matrix (a group a column), or one array
-- @param opts.names  list of texts below the violins
-- @param opts.x  list of numbers: where they stand; default 1, 2, ...
-- @param opts.width  number: the widest place, in units of x (0.8)
-- @param opts.bandwidth  number: standard deviation of the Gaussians; default by Silverman's rule
-- @param opts.label  and color, alpha: as for line
-- @source Hintze & Nelson 1998; Silverman 1986, (3.31)
function violin.read(r, groups, opts)
  local layer, list = read_groups(r, groups, opts, violin.options)
  layer.groups = {}
  for k, v in ipairs(list) do
    local g = {}
    if #v > 0 then
      local q = pg.quantile(v, pg.array{0.25, 0.5, 0.75}):totable()
      local sd = v:std()
      local spread = math.min(sd, (q[3] - q[1]) / 1.34)
      if spread == 0 then spread = sd end
      local h = layer.bandwidth or 0.9 * spread * (#v) ^ -0.2
      if h == 0 then h = math.max(math.abs(q[2]), 1) * 1e-3 end
      local lo, hi = v:min() - 2 * h, v:max() + 2 * h
      local at = pg.linspace(lo, hi, 160)
      -- ten thousand values tell the density as well as all of them do
      local some = #v > 10000 and v:slice({1, #v, #v // 10000}) or v
      local density = (((at:reshape(160, 1) - some:reshape(1, #some)) / h) ^ 2 * -0.5):exp():mean(2)
      g = {quartiles = q, lo = lo, hi = hi, at = at:totable(), share = (density / density:max()):totable()}
    end
    layer.groups[k] = g
  end
  return layer
end

function violin:draw(view)
  local canvas, pen = view.canvas, view.pen
  for k, g in ipairs(self.groups) do
    if g.lo then
      local half = self.width / 2
      local function side(sign, from, to, by)
        for i = from, to, by do
          local u, v = view.x:place(self.at[k] + sign * half * g.share[i]), view.y:place(g.at[i])
          if v == v then
            if sign < 0 and i == from then canvas:move(u, v) else canvas:line(u, v) end
          end
        end
      end
      for _, stroke in ipairs{false, true} do
        pen:color(self.color, (stroke and 1 or 0.4) * self.alpha)
        draw.set_pen(pen, 1)
        side(-1, 1, #g.at, 1)
        side(1, #g.at, 1, -1)
        canvas:join()
        if stroke then canvas:stroke() else canvas:fill() end
      end
      local _, m = across(self, view, k)
      draw.set_pen(pen, 4)
      canvas:move(m, view.y:place(g.quartiles[1]))
      canvas:line(m, view.y:place(g.quartiles[3]))
      canvas:stroke()
      canvas:map()
      canvas:color(1, 1, 1)
      canvas:points({m}, {view.y:place(g.quartiles[2])}, "circle", 1.6 * pen.unit)
    end
  end
end

return {boxplot, violin}
