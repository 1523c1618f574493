-- SPDX-License-Identifier: MIT
--
-- Pictures over x = {lo, hi}, y = {lo, hi}: values by a scale of colours, or pixels as they are.
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local math = math

local picture = {opaque = true, sample = draw.sample_patch}

function picture:bounds()
  return self.xs[1], self.xs[2], self.ys[1], self.ys[2]
end

-- Readers built on libxml2 refuse an SVG in which about 10,000,000 letters have to be held at once, and an image is
-- one attribute; no canvas takes images of more than 16384 pixels a side. So what is finer than two pixels of it to
-- one of the canvas is averaged in these.
local function reduced(view, pixels, width, height)
  local h, w = pixels.shape[1], pixels.shape[2]
  if view.canvas:kind() ~= "svg" and math.max(h, w) <= 16384 then return pixels end
  local most_h, most_w = math.max(1, math.ceil(2 * height)), math.max(1, math.ceil(2 * width))
  if h <= most_h and w <= most_w then return pixels end
  return pg.image.resize(pixels, math.min(h, most_h), math.min(w, most_w))
end

function picture:draw(view)
  local pixels = self.pixels or draw.by_scale(self.values, self.scale, {204, 204, 204})
  local left, right = view.x:place(self.xs[1]), view.x:place(self.xs[2])
  local top, bottom = view.y:place(self.ys[2]), view.y:place(self.ys[1])
  -- row 1 lies where y is least when origin is "lower"
  local first = self.lower and bottom or top
  if first > (self.lower and top or bottom) then pixels = pixels:flip(1) end
  if left > right then pixels = pixels:flip(2) end
  left, right, top, bottom = math.min(left, right), math.max(left, right), math.min(top, bottom), math.max(top, bottom)
  view.canvas:image(reduced(view, pixels, right - left, bottom - top), left, top, right - left, bottom - top)
end

function picture.cover(_, view, out)
  local area = view.area
  for k = 0, 40 do
    local v = area.top + (area.bottom - area.top) * k / 40
    for _ = 1, 30 do out[#out + 1] = {area.left, v, area.right, v} end
  end
end

-- ---- heatmap --------------------------------------------------------------------------------

local heatmap = read.join(picture, {name = "heatmap"})

heatmap.options = read.join(read.scale_options, {x = read.pair(), y = read.pair(),
  origin = read.word(nil, "upper", "lower"), label = read.text()})
heatmap.options.clabel = nil

--- figure:heatmap(A [, opts]) -> figure
-- The values of a matrix as colours, with a colour bar. NaN is light grey; a matrix of one value has the
-- colour in the middle.
-- @param A  array h x w
-- @param opts.x  {lo, hi}: the outer edges of the first and last column; default 0.5, w + 0.5
-- @param opts.y  {lo, hi}: likewise of the rows
-- @param opts.origin  string: row 1 is "upper" or "lower"; default "lower" where y is given, else "upper"
-- @param opts.cmap  string or list of colours: "viridis" (default), or another that pg.plot.colormap has
-- @param opts.range  {lo, hi}: the values of the map's ends; default the finite least and greatest
-- @param opts.log  boolean: colours by the logarithm (false)
-- @param opts.colorbar  boolean (true)
-- @param opts.label  string: names the colour bar
function heatmap.read(r, A, opts)
  A = r:matrix(1, "A", A, "h x w")
  local o = r:options(2, opts, heatmap.options)
  local h, w = A:dims()
  local origin = o.origin or (o.y and "lower" or "upper")
  if A.size == 0 then return end
  local counted = not o.y and origin == "upper"
  if counted then r.figure.reversed.y = true end
  local xs, ys = o.x or {0.5, w + 0.5}, o.y or {0.5, h + 0.5}
  local x0, x1 = math.min(xs[1], xs[2]), math.max(xs[1], xs[2])
  local y0, y1 = math.min(ys[1], ys[2]), math.max(ys[1], ys[2])
  o.clabel = o.label
  return {values = A, scale = r:scale(A, o), xs = {x0, x1}, ys = {y0, y1}, lower = counted or origin == "lower",
    whole = {x = not o.x, y = not o.y}, sticky = {x0 = x0, x1 = x1, y0 = y0, y1 = y1}}
end

-- ---- image ----------------------------------------------------------------------------------

local image = read.join(picture, {name = "image"})

image.options = {x = read.pair(), y = read.pair()}

--- figure:image(a [, opts]) -> figure
-- A picture as it is, levels 0..255, its pixels square and its first row on top.
-- @param a  array h x w or h x w x 3
-- @param opts.x  {lo, hi}: its left and right edge; default 0.5, w + 0.5
-- @param opts.y  {lo, hi}: its lower and upper edge
function image.read(r, a, opts)
  if not args.is_array(a) or a.ndim < 2 or a.ndim > 3 or (a.ndim == 3 and a.shape[3] ~= 3 and a.shape[3] ~= 4) then
    r:fail(1, "a: expected h x w or h x w x 3, got " .. args.got(a))
  end
  local o = r:options(2, opts, image.options)
  local h, w = a:dims()
  if a.size == 0 then return end
  if not o.y then r.figure.reversed.y = true end
  if not o.x and not o.y then r.figure.settings.aspect = "equal" end
  local xs, ys = o.x or {0.5, w + 0.5}, o.y or {0.5, h + 0.5}
  return {pixels = a, xs = xs, ys = ys, lower = not o.y, bare = not o.x and not o.y,
    sticky = {x0 = xs[1], x1 = xs[2], y0 = ys[1], y1 = ys[2]}}
end

return {heatmap, image}
