-- SPDX-License-Identifier: MIT
--
-- What the drawing of several marks shares.

local pg = ...
local read = pg._plot_read
local ipairs, math, table, type = ipairs, math, table, type

local draw = {}

-- At most `most` values of a 1-d array, evenly taken.
function draw.some(a, most)
  local n = #a
  if n == 0 then return {} end
  local step = math.max(1, n // most)
  return a:slice({1, n, step}):totable()
end
local some = draw.some

function draw.set_pen(pen, width, dash)
  local lengths = {}
  for k, v in ipairs(type(dash) == "table" and dash or read.dashes[dash or "solid"]) do lengths[k] = v * pen.unit end
  pen.canvas:pen(width * pen.unit, table.unpack(lengths))
end

-- From data to pixels for the canvas' calls on whole arrays.
function draw.map_data(view)
  local x, y = view.x, view.y
  view.canvas:map(x.a, x.b, x.origin, y.a, y.b, y.origin, x.log, y.log)
end

-- The box of a layer's x and y that can be drawn.
function draw.extent(layer, xlog, ylog)
  return pg._canvas.extent(layer.x, layer.y, xlog, ylog)
end

-- The box of several columns of y over one x.
function draw.extent_of(x, ys, xlog, ylog)
  local a, b, c, d
  for _, y in ipairs(ys) do
    local e, f, g, h = pg._canvas.extent(x, y, xlog, ylog)
    if e then
      a, b, c, d = math.min(a or e, e), math.max(b or f, f), math.min(c or g, g), math.max(d or h, h)
    end
  end
  return a, b, c, d
end

-- {lo, hi} of each coordinate of a layer in space over what is finite; nil where nothing is.
function draw.extents(layer)
  local out = {}
  for k, name in ipairs({"x", "y", "z"}) do
    local lo, hi = pg._canvas.extent(layer[name]:reshape(layer[name].size), nil, false, false)
    if not lo then return nil end
    out[k] = {lo, hi}
  end
  return out
end

function draw.cover_points(layer, view, out)
  local xs, ys = some(layer.x, 1000), some(layer.y, 1000)
  for i = 1, math.min(#xs, #ys) do
    local u, v = view.x:place(xs[i]), view.y:place(ys[i])
    if u == u and v == v then out[#out + 1] = {u, v, u, v} end
  end
end

-- ---- samples of a legend --------------------------------------------------------------------

-- One mark in its middle.
function draw.sample_mark(pen, x, y, width, marker, size)
  pen.canvas:map()
  pen.canvas:points({x + width / 2}, {y}, marker, size / 2 * pen.unit)
end

-- A patch of the layer's colour.
function draw.sample_patch(layer, pen, x, y, width, height)
  pen:color(layer.color, layer.alpha)
  pen.canvas:rect(x, y - height / 2, width, height)
  pen.canvas:fill()
end

-- A piece of the layer's line, with its mark.
function draw.sample_line(layer, pen, x, y, width)
  pen:color(layer.color, layer.alpha)
  draw.set_pen(pen, layer.width, layer.dash)
  pen.canvas:move(x, y)
  pen.canvas:line(x + width, y)
  pen.canvas:stroke()
  if layer.marker then draw.sample_mark(pen, x, y, width, layer.marker, layer.size) end
end

-- ---- colours by a scale ---------------------------------------------------------------------

-- Values (h, w) as pixels (h, w, 3) in 0..255 by a scale of colours; `missing` is the colour of NaN.
function draw.by_scale(values, scale, missing)
  local lo, hi = scale.lo, scale.hi
  if scale.log then values, lo, hi = values:log10(), math.log(lo, 10), math.log(hi, 10) end
  return pg.image._color(values, lo, hi, scale.map, missing)
end

-- The colours (n, 4) of a layer of n points: of its values by its scale, of its rows (n, 3) or (n, 4),
-- or one for all.
function draw.colors_of(layer)
  local n = #layer.x
  if not (layer.values or layer.colors) then
    local c = layer.color
    return pg.ones(n, 4) * pg.array({c[1], c[2], c[3], (c[4] or 1) * layer.alpha})
  end
  local rgb = layer.colors or draw.by_scale(layer.values:reshape(1, n), layer.scale):reshape(n, 3) / 255
  if rgb.shape[2] == 4 then return rgb end
  return pg.concat({rgb, pg.full({n, 1}, layer.alpha)}, 2)
end

return draw
