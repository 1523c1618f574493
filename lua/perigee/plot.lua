-- SPDX-License-Identifier: MIT
--
-- Figures: what is drawn is collected by the methods of a figure, and laid out and drawn when it
-- is saved, shown, or asked for its pixels. So a figure can be drawn in any size, many times.

local pg = ...
local args, color, read = pg._args, pg._plot_color, pg._plot_read
local marks, pens, axes = pg._plot_marks, pg._plot_pen, pg._plot_axes
local error, getmetatable, ipairs, math, pairs, rawequal = error, getmetatable, ipairs, math, pairs, rawequal
local setmetatable, table, tostring, type = setmetatable, table, tostring, type

local plot = {}
local figure = {}
local figure_meta = {__name = "figure"}
local grid = {}
local grid_meta = {__name = "grid of figures"}

-- Raises at the line that called into the library, however deep the check lies.
local function raise(message)
  error(message, pg._user_level())
end

local function fail(name, arg, message)
  raise(("bad argument #%d to '%s' (%s)"):format(arg, name, message))
end

-- ---- figures --------------------------------------------------------------------------------

-- Ticks as given: {v1, v2, ...} or {{v1, ...}, {text1, ...}}.
local function check_ticks(r, name, spec)
  if args.is_array(spec) then spec = spec:totable() end
  local first = type(spec) == "table" and type(spec[1]) or nil
  if type(spec) ~= "table" or (first ~= "nil" and first ~= "number" and first ~= "table") then
    r:fail(1, name .. ": expected a list of numbers, or of numbers and of texts, got " .. args.got(spec))
  end
  return spec
end

local function integer(default, lo, hi)
  return {default = default, check = function(r, name, v) return args.integer(r.name, r.arg, name, v, lo, hi) end}
end

-- What is an option of a new figure and a method of one that is there.
local settings = {title = read.text(), xlabel = read.text(), ylabel = read.text(), zlabel = read.text(),
  xscale = read.word("linear", "linear", "log"), yscale = read.word("linear", "linear", "log"),
  xlim = read.pair(), ylim = read.pair(), zlim = read.pair(), xticks = {check = check_ticks},
  yticks = {check = check_ticks}, aspect = read.word("auto", "auto", "equal")}

local figure_options = read.join(settings, {width = integer(640, 64, 16384), height = integer(480, 64, 16384),
  dpi = read.number(nil, 10, 2400), axes = read.flag()})

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
  local r = read.new(nil, "figure")
  local self = r:options(1, opts, figure_options)
  self.settings = {}
  for name in pairs(settings) do self.settings[name], self[name] = self[name], nil end
  self.given_limits = {x = self.settings.xlim, y = self.settings.ylim, z = self.settings.zlim}
  self.layers, self.used, self.reversed, self.legend_place = {}, 0, {}, "auto"
  self.dpi = self.dpi or math.max(100, self.width / 8)
  setmetatable(self, figure_meta)
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
  args.missing("a figure has no", "figure", name, names)
end

figure.fields = {}
for name in pairs(figure_options) do figure.fields[name] = not settings[name] end
figure.fields.solid, figure.fields.bare = true, true

figure_meta.__tostring = function(fig)
  return ("figure %dx%d, %d layer%s%s"):format(fig.width, fig.height, #fig.layers, #fig.layers == 1 and "" or "s",
    fig.settings.title and (": " .. fig.settings.title) or "")
end

function figure:_check_limits()
  for _, name in ipairs({"x", "y"}) do
    local given = self.given_limits[name]
    if given and self.settings[name .. "scale"] == "log" and (given[1] <= 0 or given[2] <= 0) then
      raise(("%slim: a log axis is above 0, got {%s, %s}"):format(name, tostring(given[1]), tostring(given[2])))
    end
  end
end

-- ---- marks ----------------------------------------------------------------------------------

local solids = {}
for _, mark in ipairs(marks) do
  if mark.solid then solids[#solids + 1] = mark.name end
end

-- A figure is a plane or a space.
local function check_space(fig, mark)
  if mark.solid and (fig.settings.xscale == "log" or fig.settings.yscale == "log") then
    raise(mark.name .. ": axes in space are linear")
  end
  if #fig.layers == 0 or (fig.solid or false) == (mark.solid or false) then return end
  raise(("%s: a figure with %s takes nothing else"):format(mark.name,
    mark.solid and "marks in the plane" or table.concat(solids, ", ")))
end

-- A picture shows values, also of arrays that a gradient is being taken of.
local function values(v, ...)
  if args.is_array(v) then v = v:detach() end
  if select("#", ...) == 0 then return v end
  return v, values(...)
end

for _, mark in ipairs(marks) do
  figure[mark.name] = function(self, ...)
    check_space(self, mark)
    local layer = mark.read(read.new(self, mark.name), values(...))
    if layer then
      self.solid = mark.solid
      self.layers[#self.layers + 1] = setmetatable(layer, mark)
    end
    return self
  end
end

local places = read.word("auto", "auto", "none", "right", "below", "upper right", "upper left", "upper center",
  "lower right", "lower left", "lower center", "center right", "center left")

--- figure:legend([place]) -> figure
-- Where the legend of all that has a label stands.
-- @param place  string: "auto" (default) a place inside that hides no data, else beside or below the
-- axes; "upper right" and the like; "right", "below", or "none"
function figure:legend(place)
  local r = read.new(self, "legend")
  r.arg = 1
  self.legend_place = places.check(r, "place", place or places.default)
  return self
end

--- figure:limits(limits) -> figure
-- Sets the ends of axes.
-- @param limits.x  {lo, hi}; lo > hi turns the axis around
-- @param limits.y  {lo, hi}
-- @param limits.z  {lo, hi}
function figure:limits(limits)
  local o = read.new(self, "limits"):options(1, limits, {x = read.pair(), y = read.pair(), z = read.pair()})
  for name, pair in pairs(o) do self.given_limits[name] = pair end
  self:_check_limits()
  return self
end

--- figure:title(text) -> figure
-- Sets the title, as the option of pg.plot.figure does; so do the methods below, each for its option.
-- @param text  string; nil takes it away
-- @example pg.plot.figure{}:line({1, 2}):title("loss"):xlabel("step") --> figure 640x480, 1 layer: loss

--- figure:xlabel(text) -> figure
-- Sets the text below the axes.
-- @param text  string; nil takes it away

--- figure:ylabel(text) -> figure
-- Sets the text beside the axes.
-- @param text  string; nil takes it away

--- figure:zlabel(text) -> figure
-- Sets the text beside the upright axis of a figure in space.
-- @param text  string; nil takes it away

--- figure:xscale(scale) -> figure
-- Makes the x axis linear or logarithmic.
-- @param scale  string: "linear" or "log"

--- figure:yscale(scale) -> figure
-- Makes the y axis linear or logarithmic.
-- @param scale  string: "linear" or "log"

--- figure:xlim(lo, hi) -> figure
-- Sets the ends of the x axis; see figure:limits.
-- @param lo  number, or {lo, hi}
-- @param hi  number; below lo turns the axis around

--- figure:ylim(lo, hi) -> figure
-- Sets the ends of the y axis; see figure:limits.
-- @param lo  number, or {lo, hi}
-- @param hi  number; below lo turns the axis around

--- figure:zlim(lo, hi) -> figure
-- Sets the ends of the upright axis of a figure in space; see figure:limits.
-- @param lo  number, or {lo, hi}
-- @param hi  number; below lo turns the axis around

--- figure:xticks(ticks) -> figure
-- Sets where the x axis has marks, and their texts.
-- @param ticks  {v1, v2, ...} or {{v1, ...}, {text1, ...}}

--- figure:yticks(ticks) -> figure
-- Sets where the y axis has marks, and their texts.
-- @param ticks  {v1, v2, ...} or {{v1, ...}, {text1, ...}}

--- figure:aspect(aspect) -> figure
-- Makes one unit of x as long as one of y, or not.
-- @param aspect  string: "auto" or "equal"
for name, setting in pairs(settings) do
  figure[name] = function(self, value, hi)
    local r = read.new(self, name)
    r.arg = 1
    local limit = name:match("^(.)lim$")
    if limit and hi ~= nil then value = {value, hi} end
    if value == nil then value = setting.default end
    if value ~= nil then value = setting.check(r, limit and "limits" or name, value) end
    self.settings[name] = value
    if limit then self.given_limits[limit] = value end
    self:_check_limits()
    return self
  end
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
      self.bare = self.bare and layer.bare or false
    end
  end
  if self.solid then
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

-- Whether it is ink on white, without a picture or a map of colours, so that a dark page may turn it around.
function figure:_is_ink()
  for _, layer in ipairs(self.layers) do
    if layer.scale or layer.colors or layer.pixels then return false end
  end
  return true
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
  local outlet = rawget(pg, "_outlet") -- a notebook's
  if outlet then outlet.show(self) else pg.image.show(pixels(self)) end
  plot._shown = self -- so that the prompt does not show again what a line has shown
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
  rows = rows and args.integer("grid", 2, "rows", rows, 1, 1000)
  cols = cols and args.integer("grid", 3, "cols", cols, 1, 1000)
  if not cols then cols = rows and -(-n // rows) or math.ceil(math.sqrt(n)) end
  if not rows then rows = -(-n // cols) end
  if rows * cols < n then
    fail("grid", 2, ("%d figures do not fit %d rows of %d"):format(n, rows, cols))
  end
  local self = read.new(nil, "grid"):options(4, opts, {title = read.text(), width = integer(nil, 64, 16384),
    height = integer(nil, 64, 16384)})
  local first = figures[1]
  self.figures, self.rows, self.cols, self.dpi = figures, rows, cols, first.dpi
  self.width = self.width or first.width * cols
  self.height = self.height or first.height * rows + (self.title and math.floor(22 * first.dpi / 72) or 0)
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
-- @param name  string: "viridis", "magma", "inferno", "plasma", "cubehelix", "grey", "blues", "diverging", or
-- "twilight", whose ends meet
-- @param n  integer: how many (256)
-- @return array  n x 3, 0..1
-- @example pg.plot.colormap("grey", 2):totable()[2][1] --> 1.0
function plot.colormap(name, n)
  n = args.integer("colormap", 2, "n", n or 256, 1, 256)
  local map = color.map("colormap", 1, name)
  if n == 256 then return map / 255 end
  local at = {}
  for k = 1, n do at[k] = n == 1 and 1 or math.floor((k - 1) * 255 / (n - 1) + 0.5) + 1 end
  return map:take(at, 1) / 255
end

pg._model.register("figure", {example = function() return plot.figure{} end})

return plot
