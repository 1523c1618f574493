-- SPDX-License-Identifier: MIT
--
-- Figures: what is drawn is collected by the methods of a figure, and laid out and drawn when it
-- is saved, shown, or asked for its pixels. So a figure can be drawn in any size, many times.

local pg = ...
local args = pg._args
local color, marks, pens, axes = pg._plot_color, pg._plot_marks, pg._plot_pen, pg._plot_axes

local plot = {}
local figure = {}
local figure_meta = {__name = "figure"}
local grid = {}
local grid_meta = {__name = "grid of figures"}

-- ---- checks ---------------------------------------------------------------------------------

-- Raises at the line that called into the library, however deep the check lies.
local function raise(message)
  error(message, pg._user_level())
end

local function fail(name, arg, message)
  raise(("bad argument #%d to '%s' (%s)"):format(arg, name, message))
end

-- f(...), its error raised where the user called.
local function guarded(f, ...)
  local ok, result = pcall(f, ...)
  if not ok then raise((tostring(result):gsub("^[^()]-: bad argument", "bad argument"))) end
  return result
end

-- A 1-d f64 array from an array (n, n x 1 or 1 x n) or a list of numbers.
local function column(name, arg, what, v)
  if type(v) == "table" and not args.is_array(v) then
    if #v == 0 then return pg.zeros(0) end
    if type(v[1]) == "number" then v = pg.array(v) end
  end
  if not args.is_array(v) then
    fail(name, arg, what .. ": expected an array or a list of numbers, got " .. args.got(v))
  end
  if v.ndim == 2 and (v.shape[1] == 1 or v.shape[2] == 1) then v = v:reshape(v.size) end
  if v.ndim ~= 1 then fail(name, arg, ("%s: expected 1 axis, got shape %s"):format(what, tostring(v.shape))) end
  return v:astype("f64")
end

local function same_length(name, arg, what, a, other, b)
  if #a ~= #b then
    fail(name, arg, ("%s has %d value%s and %s has %d"):format(what, #a, #a == 1 and "" or "s", other, #b))
  end
end

local function options(name, arg, given, known)
  if args.is_array(given) then fail(name, arg, "options: expected a table, got " .. args.got(given)) end
  return guarded(args.options, name, arg, given, known)
end

local function positive(name, arg, what, v)
  if type(v) ~= "number" or v <= 0 or v ~= v or v == math.huge then
    fail(name, arg, ("%s: expected a number above 0, got %s"):format(what, args.got(v)))
  end
  return v
end

local function share(name, arg, what, v)
  if type(v) ~= "number" or not (v >= 0 and v <= 1) then
    fail(name, arg, ("%s: expected a number in [0, 1], got %s"):format(what, args.got(v)))
  end
  return v
end

local function text(name, arg, what, v)
  if v == nil then return nil end
  if type(v) == "number" then return tostring(v) end
  if type(v) ~= "string" then fail(name, arg, ("%s: expected a string, got %s"):format(what, args.got(v))) end
  return v
end

local function one_of(name, arg, what, v, choices)
  for _, c in ipairs(choices) do
    if v == c then return v end
  end
  fail(name, arg, ('%s: expected one of "%s", got %s'):format(what, table.concat(choices, '", "'), args.got(v)))
end

local function pair(name, arg, what, v)
  if v == nil then return nil end
  if type(v) ~= "table" or args.is_array(v) or type(v[1]) ~= "number" or type(v[2]) ~= "number" or v[1] ~= v[1]
    or v[2] ~= v[2] or math.abs(v[1]) == math.huge or math.abs(v[2]) == math.huge then
    fail(name, arg, ("%s: expected {lo, hi}, got %s"):format(what, args.got(v)))
  end
  return v
end

local mark_names = {"circle", "square", "diamond", "triangle", "plus", "cross", "ring"}

local function dash(name, arg, v)
  if type(v) == "table" and #v > 0 and #v <= 8 then
    for _, length in ipairs(v) do positive(name, arg, "dash", length) end
    return v
  end
  if v ~= nil and not marks.dashes[v] then
    fail(name, arg, 'dash: expected "solid", "dashed", "dotted", "dashdot" or a list of points, got ' .. args.got(v))
  end
  return v
end

-- The next colour of the cycle, or the one asked for.
local function pick(fig, name, arg, spec)
  if spec ~= nil then
    local out = color.parse(spec)
    if not out then
      fail(name, arg, 'color: expected a name, "#rrggbb", {r, g, b} in 0..1 or a number of the cycle, got '
        .. args.got(spec))
    end
    return out
  end
  fig.used = fig.used + 1
  return color.parse(fig.used)
end

-- The scale of colours of the values: {lo, hi, map, log, label, shown}.
local function new_scale(name, arg, values, o)
  local range = pair(name, arg, "range", o.range)
  local lo, hi
  if range then
    lo, hi = range[1], range[2]
    if lo >= hi then fail(name, arg, "range: expected {lo, hi} with lo < hi") end
  else
    lo, hi = pg._canvas.extent(values:reshape(values.size), nil, o.log, false)
    lo, hi = lo or (o.log and 1 or 0), hi or (o.log and 10 or 1)
  end
  if o.log and lo <= 0 then fail(name, arg, "range: a log scale of colours is above 0") end
  local map = guarded(color.map, name, arg, o.cmap)
  return {lo = lo, hi = hi, map = map, log = o.log, label = text(name, arg, "clabel", o.clabel), shown = o.colorbar}
end

local function add(fig, layer)
  fig.layers[#fig.layers + 1] = layer
  return fig
end

local function plane_only(fig, name)
  if fig.space then raise(name .. ": a figure with scatter3 takes nothing else") end
end

-- x and y of the methods that take ([x,] y, options): the two columns and the options.
local function xy(name, x, y, opts, what)
  what = what or "y"
  if y == nil or (type(y) == "table" and not args.is_array(y) and (#y == 0 and next(y) ~= nil)) then
    local v = column(name, 1, what, x)
    return pg.linspace(1, math.max(1, #v), math.max(1, #v)):slice({1, #v}), v, y, 2
  end
  local a, b = column(name, 1, "x", x), column(name, 2, what, y)
  same_length(name, 2, "x", a, what, b)
  return a, b, opts, 3
end

-- ---- figures --------------------------------------------------------------------------------

--- pg.plot.figure([opts]) -> figure
-- An empty figure; its methods add to it and return it, so calls can be chained.
-- @param opts.title  string; a long one is broken into two lines
-- @param opts.xlabel  string
-- @param opts.ylabel  string
-- @param opts.zlabel  string, for scatter3
-- @param opts.xscale  string: "linear" (default) or "log"; what is not above 0 is not drawn on a log axis
-- @param opts.yscale  string
-- @param opts.xlim  {lo, hi}; lo > hi turns the axis around
-- @param opts.ylim  {lo, hi}
-- @param opts.zlim  {lo, hi}
-- @param opts.xticks  {v1, v2, ...} or {{v1, ...}, {text1, ...}}; default steps of 1, 2 or 5
-- @param opts.yticks  likewise
-- @param opts.aspect  string: "auto" (default) or "equal", one unit of x as long as one of y
-- @param opts.width  integer: pixels (640)
-- @param opts.height  integer: pixels (480)
-- @param opts.dpi  number: pixels an inch, which sizes letters and lines; default 100, for a figure
-- wider than 8 inches what makes it 8 inches wide. A PDF page is width / dpi inches wide.
-- @param opts.axes  boolean: false draws no axes (default: true unless all is images or graphs)
-- @return figure
-- @example pg.plot.figure{title = "loss"}:line({3, 2, 1}).height --> 480
function plot.figure(opts)
  local any = args.any
  local o = guarded(args.options, "figure", 1, opts, {title = any, xlabel = any, ylabel = any, zlabel = any,
    xscale = "linear", yscale = "linear", xlim = any, ylim = any, zlim = any, xticks = any, yticks = any, width = 640,
    height = 480, dpi = any, axes = any, aspect = "auto"})
  local self = {layers = {}, used = 0, given_limits = {}, reversed = {}, legend_place = "auto"}
  for _, name in ipairs({"title", "xlabel", "ylabel", "zlabel"}) do self[name] = text("figure", 1, name, o[name]) end
  for _, name in ipairs({"xscale", "yscale"}) do
    self[name] = one_of("figure", 1, name, o[name], {"linear", "log"})
  end
  self.aspect = one_of("figure", 1, "aspect", o.aspect, {"auto", "equal"})
  for _, name in ipairs({"x", "y", "z"}) do
    self.given_limits[name] = pair("figure", 1, name .. "lim", o[name .. "lim"])
  end
  for _, name in ipairs({"xticks", "yticks"}) do
    local spec = o[name]
    if args.is_array(spec) then spec = spec:totable() end
    local first = type(spec) == "table" and type(spec[1]) or nil
    if spec ~= nil and (type(spec) ~= "table" or (first ~= "nil" and first ~= "number" and first ~= "table")) then
      fail("figure", 1, name .. ": expected a list of numbers, or of numbers and of texts, got " .. args.got(spec))
    end
    self[name] = spec
  end
  self.width = guarded(args.integer, "figure", 1, "width", o.width, 64, 16384)
  self.height = guarded(args.integer, "figure", 1, "height", o.height, 64, 16384)
  self.dpi = o.dpi and guarded(args.number, "figure", 1, "dpi", o.dpi, 10, 2400) or math.max(100, self.width / 8)
  self.axes = o.axes
  self = setmetatable(self, figure_meta)
  self:_check_limits()
  return self
end

figure_meta.__index = function(_, name)
  local method = figure[name]
  if method ~= nil then return method end
  -- fields that may be nil
  if type(name) ~= "string" or rawequal(name, "_") or figure.fields[name] then return nil end
  local names = {}
  for k in pairs(figure) do
    if type(figure[k]) == "function" and k:sub(1, 1) ~= "_" then names[#names + 1] = k end
  end
  table.sort(names)
  local near = args.nearest(name, names)
  error(("a figure has no '%s'; %s"):format(name, near and ("did you mean '%s'?"):format(near)
    or "it has " .. table.concat(names, ", ")), 2)
end

figure.fields = {}
for _, name in ipairs({"title", "xlabel", "ylabel", "zlabel", "xticks", "yticks", "axes", "space", "bare"}) do
  figure.fields[name] = true
end

figure_meta.__tostring = function(fig)
  return ("figure %dx%d, %d layer%s%s"):format(fig.width, fig.height, #fig.layers, #fig.layers == 1 and "" or "s",
    fig.title and (": " .. fig.title) or "")
end

function figure:_check_limits()
  for _, name in ipairs({"x", "y"}) do
    local given = self.given_limits[name]
    if given and self[name .. "scale"] == "log" and (given[1] <= 0 or given[2] <= 0) then
      raise(("%slim: a log axis is above 0, got {%s, %s}"):format(name, tostring(given[1]), tostring(given[2])))
    end
  end
end

--- figure:line([x,] y [, opts]) -> figure
-- Joins points by a line; NaN breaks it, and a point alone between two NaN is a dot.
-- @param x  array n or list; default 1..n
-- @param y  array n or list
-- @param opts.label  string: names it in the legend
-- @param opts.color  name, "#rrggbb", {r, g, b [, a]} in 0..1, or a number of the cycle; default the next
-- @param opts.width  number: points of 1/72 inch (1.5)
-- @param opts.dash  string: "solid" (default), "dashed", "dotted", "dashdot", or lengths on and off in points
-- @param opts.alpha  number in 0..1
-- @param opts.marker  string: also a mark at each point; see scatter
-- @param opts.size  number: the mark's size in points (5)
-- @error x and y of different lengths: both are said
function figure:line(x, y, opts)
  plane_only(self, "line")
  local a, b, given, arg = xy("line", x, y, opts)
  local any = args.any
  local o = options("line", arg, given, {label = any, color = any, width = 1.5, dash = any, alpha = 1, marker = any,
    size = 5})
  return add(self, marks.line {x = a, y = b, color = pick(self, "line", arg, o.color),
    label = text("line", arg, "label", o.label), width = positive("line", arg, "width", o.width),
    dash = dash("line", arg, o.dash), alpha = share("line", arg, "alpha", o.alpha),
    marker = o.marker and one_of("line", arg, "marker", o.marker, mark_names),
    size = positive("line", arg, "size", o.size)})
end

-- What scatter and scatter3 share: size, colours, marks.
local function points_layer(fig, name, arg, o, n)
  local layer = {label = text(name, arg, "label", o.label), marker = one_of(name, arg, "marker", o.marker, mark_names),
    alpha = share(name, arg, "alpha", o.alpha or (n > 300 and 0.7 or 0.85))}
  if args.is_array(o.size) or type(o.size) == "table" then
    layer.size = column(name, arg, "size", o.size)
    if #layer.size ~= n then fail(name, arg, ("size has %d values for %d points"):format(#layer.size, n)) end
  else
    layer.size = o.size and positive(name, arg, "size", o.size) or n <= 300 and 5 or n <= 3000 and 3.5
      or n <= 30000 and 2.2 or 1.3
  end
  local c = o.color
  if type(c) == "table" and not args.is_array(c) and #c == n and (n > 4 or type(c[1]) ~= "number") then
    if type(c[1]) == "number" then
      c = pg.array(c)
    else
      local rows = {}
      for k = 1, n do rows[k] = pick(fig, name, arg, c[k]) end
      for k = 1, n do rows[k] = {rows[k][1], rows[k][2], rows[k][3], (rows[k][4] or 1) * layer.alpha} end
      c = n > 0 and pg.array(rows) or nil
    end
  end
  if args.is_array(c) then
    if c.ndim == 1 and #c == n then
      layer.values = c:astype("f64")
      layer.scale = new_scale(name, arg, layer.values, o)
    elseif c.ndim == 2 and c.shape[1] == n and (c.shape[2] == 3 or c.shape[2] == 4) then
      layer.colors = c:astype("f64")
    else
      fail(name, arg, ("color: %d points take %d values or colours %d x 3, got shape %s"):format(n, n, n,
        tostring(c.shape)))
    end
    layer.color = layer.values and {0.13, 0.57, 0.55} or {0.3, 0.3, 0.3}
  else
    layer.color = pick(fig, name, arg, c)
  end
  return layer
end

local function points_options(name, arg, given, more)
  local any = args.any
  local known = {label = any, color = any, size = any, alpha = any, marker = "circle", cmap = any, range = any,
    colorbar = true, clabel = any, log = false}
  for _, k in ipairs(more) do known[k[1]] = k[2] end
  return options(name, arg, given, known)
end

--- figure:scatter(x, y [, opts]) -> figure
-- A mark at each point.
-- @param x  array n or list
-- @param y  array n or list
-- @param opts.label  string
-- @param opts.color  one colour as for line; or n values, drawn by a colour map with a bar beside
-- the axes; or colours n x 3 or n x 4 in 0..1, or a list of n
-- @param opts.size  number or n of them: diameter in points; default by n
-- @param opts.alpha  number in 0..1
-- @param opts.marker  string: "circle" (default), "square", "diamond", "triangle", "plus", "cross" or "ring"
-- @param opts.cmap  string or list of colours: "viridis" (default), "grey", "blues" or "diverging"
-- @param opts.range  {lo, hi}: the values of the map's ends
-- @param opts.colorbar  boolean (true)
-- @param opts.clabel  string: names the colour bar
-- @param opts.log  boolean: colours by the logarithm (false)
function figure:scatter(x, y, opts)
  plane_only(self, "scatter")
  local a, b = column("scatter", 1, "x", x), column("scatter", 2, "y", y)
  same_length("scatter", 2, "x", a, "y", b)
  local o = points_options("scatter", 3, opts, {})
  local layer = points_layer(self, "scatter", 3, o, #a)
  layer.x, layer.y = a, b
  return add(self, marks.scatter(layer))
end

--- figure:scatter3(x, y, z [, opts]) -> figure
-- Points in space within a box, the far ones first and fainter.
-- @param x  array n or list
-- @param y  array n or list
-- @param z  array n or list
-- @param opts.azim  number: degrees around the z axis from which it is seen (-60)
-- @param opts.elev  number: degrees above the plane of x and y (25)
-- @param opts.shade  boolean: far points fainter (true)
-- @param opts.label  and color, size, alpha, marker, cmap, range, colorbar, clabel, log: as for scatter
function figure:scatter3(x, y, z, opts)
  if not self.space and #self.layers > 0 then raise("scatter3: a figure with scatter3 takes nothing else") end
  if self.xscale == "log" or self.yscale == "log" then raise("scatter3: axes in space are linear") end
  local a, b, c = column("scatter3", 1, "x", x), column("scatter3", 2, "y", y), column("scatter3", 3, "z", z)
  same_length("scatter3", 2, "x", a, "y", b)
  same_length("scatter3", 3, "x", a, "z", c)
  local o = points_options("scatter3", 4, opts, {{"azim", -60}, {"elev", 25}, {"shade", true}})
  local layer = points_layer(self, "scatter3", 4, o, #a)
  layer.azim, layer.elev, layer.shade = guarded(args.number, "scatter3", 4, "azim", o.azim, -1e6, 1e6),
    guarded(args.number, "scatter3", 4, "elev", o.elev, -90, 90), o.shade
  -- only what can be placed in all three
  local good = a:isfinite() * b:isfinite() * c:isfinite()
  if #a > 0 and good:sum() < #a then
    a, b, c = a:compress(good), b:compress(good), c:compress(good)
    for _, name in ipairs({"values", "colors", "size"}) do
      if args.is_array(layer[name]) then layer[name] = layer[name]:compress(good, 1) end
    end
  end
  layer.x, layer.y, layer.z = a, b, c
  self.space = true
  return add(self, marks.scatter(layer))
end

--- figure:hist(x [, opts]) -> figure
-- How often values fall into equal bins; NaN and infinities are left out.
-- @param x  array of any shape, or list
-- @param opts.bins  integer or list of edges; default by Freedman and Diaconis, at least Sturges
-- @param opts.range  {lo, hi}
-- @param opts.density  boolean: the area is 1 (false)
-- @param opts.label  and color, alpha: as for line
function figure:hist(x, opts)
  plane_only(self, "hist")
  if args.is_array(x) and x.ndim ~= 1 then x = x:reshape(x.size) end
  local v = column("hist", 1, "x", x)
  local any = args.any
  local o = options("hist", 2, opts, {bins = any, range = any, density = false, label = any, color = any, alpha = any})
  v = #v > 0 and v:compress(v:isfinite()) or v
  local range, bins = pair("hist", 2, "range", o.range), o.bins
  local layer = {color = pick(self, "hist", 2, o.color), label = text("hist", 2, "label", o.label),
    alpha = share("hist", 2, "alpha", o.alpha or 0.85), edge = true, sticky = {y0 = 0}}
  if #v == 0 then
    layer.heights, layer.left, layer.right = {}, {}, {}
    return add(self, marks.bars(layer))
  end
  if bins == nil then
    local lo, hi = v:min(), v:max()
    if range then lo, hi = range[1], range[2] end
    local quarters = pg.quantile(v, pg.array({0.25, 0.75}))
    local width = 2 * (quarters[2] - quarters[1]) / (#v) ^ (1 / 3)
    local sturges = math.ceil(math.log(#v, 2)) + 1
    bins = width > 0 and math.ceil((hi - lo) / width) or sturges
    bins = math.floor(math.max(1, sturges, math.min(bins, 400)))
    if lo == hi then bins = 1 end
  elseif type(bins) == "number" then
    bins = guarded(args.integer, "hist", 2, "bins", bins, 1, 100000)
  else
    bins = column("hist", 2, "bins", bins)
  end
  local counts, edges = pg.histogram(v, bins, {range = range, density = o.density or nil})
  layer.heights = counts:totable()
  local at = edges:totable()
  layer.left, layer.right = {table.unpack(at, 1, #at - 1)}, {table.unpack(at, 2)}
  return add(self, marks.bars(layer))
end

--- figure:bar([x,] heights [, opts]) -> figure
-- Bars from 0 to heights.
-- @param x  array or list of numbers, ascending, or list of texts, which stand below their bars; default 1..n
-- @param heights  array n or list
-- @param opts.width  number: share of the distance between bars (0.8)
-- @param opts.label  and color, alpha: as for line
function figure:bar(x, heights, opts)
  plane_only(self, "bar")
  local names
  if type(x) == "table" and not args.is_array(x) and type(x[1]) == "string" and heights ~= nil then
    names = x
    x = pg.linspace(1, #names, #names)
  end
  local a, b, given, arg = xy("bar", x, heights, opts, "heights")
  local any = args.any
  local o = options("bar", arg, given, {width = 0.8, label = any, color = any, alpha = 1})
  local at, tall = a:totable(), b:totable()
  local step = #at > 1 and math.huge or 1
  for i = 2, #at do
    if at[i] <= at[i - 1] or at[i] ~= at[i] then
      fail("bar", 1, ("x: expected ascending values, element %d is not above the one before"):format(i))
    end
    step = math.min(step, at[i] - at[i - 1])
  end
  local half = positive("bar", arg, "width", o.width) * step / 2
  local left, right = {}, {}
  for i, v in ipairs(at) do left[i], right[i] = v - half, v + half end
  if names then
    local list = {}
    for i, v in ipairs(names) do list[i] = tostring(v) end
    self.xticks = {at, list}
  end
  return add(self, marks.bars {heights = tall, left = left, right = right, color = pick(self, "bar", arg, o.color),
    label = text("bar", arg, "label", o.label), alpha = share("bar", arg, "alpha", o.alpha), sticky = {y0 = 0, y1 = 0}})
end

--- figure:heatmap(A [, opts]) -> figure
-- The values of a matrix as colours, with a colour bar. NaN is light grey.
-- @param A  array h x w
-- @param opts.x  {lo, hi}: the outer edges of the first and last column; default 0.5, w + 0.5
-- @param opts.y  {lo, hi}: likewise of the rows
-- @param opts.origin  string: row 1 is "upper" or "lower"; default "lower" where y is given, else "upper"
-- @param opts.cmap  string or list of colours: "viridis" (default), "grey", "blues" or "diverging"
-- @param opts.range  {lo, hi}: the values of the map's ends; default the finite least and greatest
-- @param opts.log  boolean: colours by the logarithm (false)
-- @param opts.colorbar  boolean (true)
-- @param opts.label  string: names the colour bar
function figure:heatmap(A, opts)
  plane_only(self, "heatmap")
  if type(A) == "table" and not args.is_array(A) then A = pg.array(A) end
  if not args.is_array(A) or A.ndim ~= 2 then
    fail("heatmap", 1, "A: expected a matrix h x w, got " .. args.got(A))
  end
  local any = args.any
  local o = options("heatmap", 2, opts, {x = any, y = any, origin = any, cmap = any, range = any, log = false,
    colorbar = true, label = any})
  local h, w = A:dims()
  local xs, ys = pair("heatmap", 2, "x", o.x), pair("heatmap", 2, "y", o.y)
  local origin = one_of("heatmap", 2, "origin", o.origin or (ys and "lower" or "upper"), {"upper", "lower"})
  if A.size == 0 then return self end
  if not ys and origin == "upper" then self.reversed.y = true end
  local whole = not ys and origin == "upper"
  xs, ys = xs or {0.5, w + 0.5}, ys or {0.5, h + 0.5}
  o.clabel = o.label
  local x0, x1 = math.min(xs[1], xs[2]), math.max(xs[1], xs[2])
  local y0, y1 = math.min(ys[1], ys[2]), math.max(ys[1], ys[2])
  return add(self, marks.picture {values = A, scale = new_scale("heatmap", 2, A, o), xs = {x0, x1}, ys = {y0, y1},
    lower = whole or origin == "lower", whole = {x = not o.x, y = not o.y},
    sticky = {x0 = x0, x1 = x1, y0 = y0, y1 = y1}})
end

--- figure:image(a [, opts]) -> figure
-- A picture as it is, levels 0..255, its pixels square and its first row on top.
-- @param a  array h x w or h x w x 3
-- @param opts.x  {lo, hi}: its left and right edge; default 0.5, w + 0.5
-- @param opts.y  {lo, hi}: its lower and upper edge
function figure:image(a, opts)
  plane_only(self, "image")
  if not args.is_array(a) or a.ndim < 2 or a.ndim > 3 or (a.ndim == 3 and a.shape[3] ~= 3 and a.shape[3] ~= 4) then
    fail("image", 1, "a: expected h x w or h x w x 3, got " .. args.got(a))
  end
  local o = options("image", 2, opts, {x = args.any, y = args.any})
  local xs, ys = pair("image", 2, "x", o.x), pair("image", 2, "y", o.y)
  local h, w = a:dims()
  if a.size == 0 then return self end
  if not ys then self.reversed.y = true end
  if not xs and not ys then self.aspect = "equal" end
  local lower = not ys
  xs, ys = xs or {0.5, w + 0.5}, ys or {0.5, h + 0.5}
  return add(self, marks.picture {pixels = a, xs = xs, ys = ys, lower = lower, free = not o.x and not o.y,
    sticky = {x0 = xs[1], x1 = xs[2], y0 = ys[1], y1 = ys[2]}})
end

--- figure:graph(E [, pos] [, opts]) -> figure
-- A graph: a circle for each node, a line for each edge (i, j) where E is not 0.
-- @param E  array n x n
-- @param pos  array n x 2: where nodes lie, such as pg.graph.layout gives; default on a circle
-- @param opts.color  one colour, a list of n, or n x 3 in 0..1
-- @param opts.labels  true for 1..n, or a list of n texts
-- @param opts.size  number: diameter of a node in points; default by n
-- @param opts.alpha  number in 0..1: of the edges
-- @param opts.label  string: names it in the legend
function figure:graph(E, pos, opts)
  plane_only(self, "graph")
  if type(E) == "table" and not args.is_array(E) then E = pg.array(E) end
  if not args.is_array(E) or E.ndim ~= 2 or E.shape[1] ~= E.shape[2] then
    fail("graph", 1, "E: expected a matrix n x n, got " .. args.got(E))
  end
  local n = #E
  if opts == nil and type(pos) == "table" and not args.is_array(pos) and type(pos[1]) ~= "table" then
    pos, opts = nil, pos
  end
  if pos == nil then
    local turn = pg.range(0, n - 1) * (2 * math.pi / math.max(n, 1))
    pos = n > 0 and pg.stack({turn:cos(), turn:sin()}, 2) or pg.zeros(0, 2)
  end
  if type(pos) == "table" and not args.is_array(pos) then pos = pg.array(pos) end
  if not args.is_array(pos) or pos.ndim ~= 2 or pos.shape[1] ~= n or pos.shape[2] ~= 2 then
    fail("graph", 2, ("pos: expected %d x 2, got %s"):format(n, args.got(pos)))
  end
  local any = args.any
  local o = options("graph", 3, opts, {color = any, labels = any, size = any, alpha = 1, label = any})
  local layer = {x = pos:slice({}, 1):astype("f64"), y = pos:slice({}, 2):astype("f64"), edges = {}, node_colors = {},
    size = o.size and positive("graph", 3, "size", o.size), label = text("graph", 3, "label", o.label),
    edge_alpha = share("graph", 3, "alpha", o.alpha)}
  local rows = E:totable()
  for i = 1, n do
    for j = i + 1, n do
      if rows[i][j] ~= 0 or rows[j][i] ~= 0 then layer.edges[#layer.edges + 1] = {i, j} end
    end
  end
  local c = o.color
  if args.is_array(c) then
    if c.ndim ~= 2 or c.shape[1] ~= n or (c.shape[2] ~= 3 and c.shape[2] ~= 4) then
      fail("graph", 3, ("color: expected one, a list of %d, or %d x 3, got shape %s"):format(n, n, tostring(c.shape)))
    end
    layer.node_colors = c:clip(0, 1):totable()
    layer.color = {0.4, 0.6, 0.8}
  elseif type(c) == "table" and #c == n and type(c[1]) ~= "number" then
    for i = 1, n do layer.node_colors[i] = pick(self, "graph", 3, c[i]) end
    layer.color = layer.node_colors[1]
  else
    layer.color = c and pick(self, "graph", 3, c) or {0.62, 0.78, 0.92}
  end
  if o.labels == true then
    layer.labels = {}
    for i = 1, n do layer.labels[i] = tostring(i) end
  elseif o.labels then
    if type(o.labels) ~= "table" or #o.labels ~= n then
      fail("graph", 3, ("labels: expected true or a list of %d, got %s"):format(n, args.got(o.labels)))
    end
    layer.labels = {}
    for i = 1, n do layer.labels[i] = tostring(o.labels[i]) end
  end
  self.aspect = "equal"
  return add(self, marks.graph(layer))
end

local function rule(fig, name, at, opts, upright)
  if type(at) ~= "number" or at ~= at or math.abs(at) == math.huge then
    fail(name, 1, ("%s: expected a number, got %s"):format(upright and "x" or "y", args.got(at)))
  end
  local any = args.any
  local o = options(name, 2, opts, {label = any, color = any, width = 1.2, dash = "dashed", alpha = 1})
  return add(fig, marks.rule {at = at, upright = upright, color = pick(fig, name, 2, o.color or "grey"),
    label = text(name, 2, "label", o.label), width = positive(name, 2, "width", o.width), dash = dash(name, 2, o.dash),
    alpha = share(name, 2, "alpha", o.alpha)})
end

--- figure:hline(y [, opts]) -> figure
-- A level line over the whole width, such as a bound.
-- @param y  number
-- @param opts.label  and color ("grey"), width (1.2), dash ("dashed"), alpha: as for line
function figure:hline(y, opts)
  plane_only(self, "hline")
  return rule(self, "hline", y, opts, false)
end

--- figure:vline(x [, opts]) -> figure
-- An upright line over the whole height.
-- @param x  number
-- @param opts.label  and color ("grey"), width (1.2), dash ("dashed"), alpha: as for line
function figure:vline(x, opts)
  plane_only(self, "vline")
  return rule(self, "vline", x, opts, true)
end

--- figure:errorbar(x, y, error [, opts]) -> figure
-- Points with bars from y - error to y + error.
-- @param x  array n or list
-- @param y  array n or list
-- @param error  number, array n, or {below, above} of arrays n
-- @param opts.label  and color, alpha, width (1.2), marker, size (5): as for line
function figure:errorbar(x, y, err, opts)
  plane_only(self, "errorbar")
  local a, b = column("errorbar", 1, "x", x), column("errorbar", 2, "y", y)
  same_length("errorbar", 2, "x", a, "y", b)
  local below, above
  if type(err) == "number" then
    below = pg.full({#a}, err)
    above = below
  elseif type(err) == "table" and not args.is_array(err) and type(err[1]) ~= "number" and #err == 2 then
    below, above = column("errorbar", 3, "error", err[1]), column("errorbar", 3, "error", err[2])
  else
    below = column("errorbar", 3, "error", err)
    above = below
  end
  same_length("errorbar", 3, "x", a, "error", below)
  same_length("errorbar", 3, "x", a, "error", above)
  local any = args.any
  local o = options("errorbar", 4, opts, {label = any, color = any, alpha = 1, width = 1.2, marker = "circle",
    size = 5})
  return add(self, marks.errorbar {x = a, y = b, lo = b - below, hi = b + above,
    color = pick(self, "errorbar", 4, o.color), label = text("errorbar", 4, "label", o.label),
    alpha = share("errorbar", 4, "alpha", o.alpha), width = positive("errorbar", 4, "width", o.width),
    marker = one_of("errorbar", 4, "marker", o.marker, mark_names), size = positive("errorbar", 4, "size", o.size)})
end

--- figure:band(x, lo, hi [, opts]) -> figure
-- Fills between two curves, such as a mean less and plus two standard deviations.
-- @param x  array n or list
-- @param lo  array n or list
-- @param hi  array n or list
-- @param opts.label  and color, alpha (0.25): as for line
function figure:band(x, lo, hi, opts)
  plane_only(self, "band")
  local a, b, c = column("band", 1, "x", x), column("band", 2, "lo", lo), column("band", 3, "hi", hi)
  same_length("band", 2, "x", a, "lo", b)
  same_length("band", 3, "x", a, "hi", c)
  local any = args.any
  local o = options("band", 4, opts, {label = any, color = any, alpha = 0.25})
  return add(self, marks.band {x = a, lo = b, hi = c, color = pick(self, "band", 4, o.color),
    label = text("band", 4, "label", o.label), alpha = share("band", 4, "alpha", o.alpha)})
end

--- figure:text(x, y, text [, opts]) -> figure
-- Words at a point of the data; moved where they would leave the picture.
-- @param x  number
-- @param y  number
-- @param text  string
-- @param opts.align  string: which part of the text lies at x: "left" (default), "center" or "right"
-- @param opts.valign  string: and at y: "baseline" (default), "top", "middle" or "bottom"
-- @param opts.size  number: points (9)
-- @param opts.color  as for line ("black")
-- @param opts.alpha  number in 0..1
function figure:text(x, y, words, opts)
  plane_only(self, "text")
  for k, v in ipairs({x, y}) do
    if type(v) ~= "number" or v ~= v or math.abs(v) == math.huge then
      fail("text", k, ("%s: expected a number, got %s"):format(k == 1 and "x" or "y", args.got(v)))
    end
  end
  if type(words) ~= "string" and type(words) ~= "number" then
    fail("text", 3, "text: expected a string, got " .. args.got(words))
  end
  local o = options("text", 4, opts, {align = "left", valign = "baseline", size = 9, color = "black", alpha = 1})
  return add(self, marks.text {x = x, y = y, text = tostring(words),
    align = one_of("text", 4, "align", o.align, {"left", "center", "right"}),
    valign = one_of("text", 4, "valign", o.valign, {"baseline", "top", "middle", "bottom"}),
    size = positive("text", 4, "size", o.size), color = pick(self, "text", 4, o.color),
    alpha = share("text", 4, "alpha", o.alpha)})
end

--- figure:legend([place]) -> figure
-- Where the legend of all that has a label stands.
-- @param place  string: "auto" (default) a place inside that hides no data, else beside or below the
-- axes; "upper right" and the like; "right", "below", or "none"
function figure:legend(place)
  self.legend_place = one_of("legend", 1, "place", place or "auto", {"auto", "none", "right", "below", "upper right",
    "upper left", "upper center", "lower right", "lower left", "lower center", "center right", "center left"})
  return self
end

--- figure:limits(limits) -> figure
-- Sets the ends of axes.
-- @param limits.x  {lo, hi}; lo > hi turns the axis around
-- @param limits.y  {lo, hi}
-- @param limits.z  {lo, hi}
function figure:limits(limits)
  local o = options("limits", 1, limits, {x = args.any, y = args.any, z = args.any})
  for _, name in ipairs({"x", "y", "z"}) do
    if o[name] then self.given_limits[name] = pair("limits", 1, name, o[name]) end
  end
  self:_check_limits()
  return self
end

-- ---- drawing --------------------------------------------------------------------------------

-- Letters are 10 points high, less in figures too small for that.
local function sizes_of(unit, rect, dpi)
  local inches = math.min((rect.right - rect.left) / dpi / 5.6, (rect.bottom - rect.top) / dpi / 4.2)
  local by = unit * math.max(0.5, math.min(1, inches ^ 0.5))
  return {title = 11.5 * by, label = 10 * by, tick = 9 * by, legend = 9 * by}, by
end

-- Draws it into the canvas' rectangle; returns the pen, which knows where its texts are.
function figure:_draw(canvas, rect, dpi)
  local sizes, unit = sizes_of(dpi / 72, rect, dpi)
  local pen = pens.new(canvas, unit)
  self.bare = self.axes == false
  if self.axes == nil and #self.layers > 0 then
    self.bare = true
    for _, layer in ipairs(self.layers) do
      self.bare = self.bare and (layer.free or layer.kind == "graph" or layer.kind == "text") or false
    end
  end
  if self.space then
    pen.view = pg._plot_space.draw(self, pen, rect, sizes)
  else
    pen.view = axes.draw(self, pen, rect, sizes)
  end
  return pen
end

local function draw(self, kind)
  local canvas = pg._canvas.new(kind, self.width, self.height, self.dpi)
  local pen = self:_draw(canvas, {left = 0, top = 0, right = self.width, bottom = self.height}, self.dpi)
  return canvas, pen
end

-- The boxes of all texts, and the plot area, for tests of the layout.
function figure:_texts()
  local canvas, pen = draw(self, "png")
  canvas:close()
  return pen.boxes, pen.area, pen.legend
end

local function pixels(self)
  local canvas <close> = draw(self, "png")
  return canvas:pixels()
end

local function save(self, path)
  if type(path) ~= "string" then fail("save", 1, "path: expected a string, got " .. args.got(path)) end
  local suffix = (path:match("%.(%w+)$") or ""):lower()
  if suffix ~= "png" and suffix ~= "svg" and suffix ~= "pdf" then
    fail("save", 1, ("path: expected a name that ends in .png, .svg or .pdf, got %q"):format(path))
  end
  local bytes
  if suffix == "png" then
    bytes = pg.image._png(pixels(self))
  else
    local canvas <close> = draw(self, suffix)
    bytes = canvas:document()
  end
  pg._system.write(path, bytes)
  return self
end

local function show(self)
  pg.image.show(pixels(self))
  return self
end

--- figure:pixels() -> array
-- The figure as a picture, as pg.save and pg.image take it.
-- @return array  height x width x 3, 0..255
-- @example pg.plot.figure{width = 80, height = 64}:pixels().shape --> (64, 80, 3)
function figure:pixels() return pixels(self) end

--- figure:save(path) -> figure
-- Draws the figure into a file, the same bytes each time. An old file stays whole when it fails.
-- In .svg and .pdf thousands of marks are one picture, so that the file stays small.
-- @param path  string: ends in .png, .svg or .pdf
-- @error an unknown suffix; what the system says, as `PATH: reason`
function figure:save(path) return save(self, path) end

--- figure:show() -> figure
-- Shows the figure in the terminal; see pg.image.show.
function figure:show() return show(self) end

-- ---- grids ----------------------------------------------------------------------------------

--- pg.plot.grid(figures [, rows [, cols [, opts]]]) -> grid
-- Figures side by side, each in a cell of the size of the first, row by row. A grid has the
-- methods save, show and pixels of a figure.
-- @param figures  list of figures
-- @param rows  integer; default so that all have a place
-- @param cols  integer; default near the square root of their number
-- @param opts.title  string, over all
-- @param opts.width  integer: pixels of the whole
-- @param opts.height  integer: pixels of the whole
-- @return grid
function plot.grid(figures, rows, cols, opts)
  if type(figures) ~= "table" or #figures == 0 then
    fail("grid", 1, "figures: expected a list of figures, got " .. args.got(figures))
  end
  for k, fig in ipairs(figures) do
    if getmetatable(fig) ~= figure_meta then
      fail("grid", 1, ("figures: element %d is %s, not a figure"):format(k, args.got(fig)))
    end
  end
  local n = #figures
  if type(rows) == "table" then rows, opts = nil, rows end
  rows = rows and guarded(args.integer, "grid", 2, "rows", rows, 1, 1000)
  cols = cols and guarded(args.integer, "grid", 3, "cols", cols, 1, 1000)
  if not cols then cols = rows and -(-n // rows) or math.ceil(math.sqrt(n)) end
  if not rows then rows = -(-n // cols) end
  if rows * cols < n then
    fail("grid", 2, ("%d figures do not fit %d rows of %d"):format(n, rows, cols))
  end
  local o = guarded(args.options, "grid", 4, opts, {title = args.any, width = args.any, height = args.any})
  local first = figures[1]
  local self = {figures = figures, rows = rows, cols = cols, title = text("grid", 4, "title", o.title), dpi = first.dpi}
  self.width = o.width and guarded(args.integer, "grid", 4, "width", o.width, 64, 16384) or first.width * cols
  self.height = o.height and guarded(args.integer, "grid", 4, "height", o.height, 64, 16384)
    or first.height * rows + (self.title and math.floor(22 * first.dpi / 72) or 0)
  if self.width > 16384 or self.height > 16384 then
    fail("grid", 1, ("the picture would be %d x %d pixels; a side may have 16384"):format(self.height, self.width))
  end
  return setmetatable(self, grid_meta)
end

grid_meta.__index = function(_, name) return grid[name] end
grid_meta.__tostring = function(g)
  return ("grid of %d figures, %d rows of %d, %dx%d"):format(#g.figures, g.rows, g.cols, g.width, g.height)
end

function grid:_draw(canvas, rect, dpi)
  local pen = pens.new(canvas, dpi / 72)
  local top = rect.top
  pen.parts = {}
  if self.title then
    local size = 12.5 * pen.unit
    canvas:color(0.13, 0.13, 0.13)
    local lines, now = pen:lines(self.title, size, rect.right - rect.left - 12 * pen.unit, 1)
    pen:text("title", lines[1], now, (rect.left + rect.right) / 2, top + 6 * pen.unit, "center", "top")
    top = top + math.floor(22 * pen.unit)
  end
  local width, height = (rect.right - rect.left) / self.cols, (rect.bottom - top) / self.rows
  for k, fig in ipairs(self.figures) do
    local left, up = rect.left + (k - 1) % self.cols * width, top + (k - 1) // self.cols * height
    local cell = {left = math.floor(left + 0.5), top = math.floor(up + 0.5), right = math.floor(left + width + 0.5),
      bottom = math.floor(up + height + 0.5)}
    local part = fig:_draw(canvas, cell, dpi)
    pen.parts[k] = part
    for _, box in ipairs(part.boxes) do pen.boxes[#pen.boxes + 1] = box end
  end
  return pen
end

grid._texts = figure._texts

function grid:pixels() return pixels(self) end
function grid:save(path) return save(self, path) end
function grid:show() return show(self) end

--- pg.plot.colormap(name [, n]) -> array
-- The colours of a map, from its low end to its high one.
-- @param name  string: "viridis", "grey", "blues" or "diverging"
-- @param n  integer: how many (256)
-- @return array  n x 3, 0..1
-- @example pg.plot.colormap("grey", 2):totable()[2][1] --> 1.0
function plot.colormap(name, n)
  n = guarded(args.integer, "colormap", 2, "n", n or 256, 1, 256)
  local map = guarded(color.map, "colormap", 1, name)
  if n == 256 then return map / 255 end
  local at = {}
  for k = 1, n do at[k] = n == 1 and 1 or math.floor((k - 1) * 255 / (n - 1) + 0.5) + 1 end
  return map:take(at, 1) / 255
end

return plot
