-- SPDX-License-Identifier: MIT
local pg = ...
local args, read, draw = pg._args, pg._plot_read, pg._plot_draw
local math = math

local quiver = {name = "quiver"}

quiver.options = {label = read.text(), color = read.color(), alpha = read.share(1), width = read.positive(1.2),
  scale = read.positive(), head = read.positive(6)}

--- figure:quiver(x, y, u, v [, opts]) -> figure
-- Arrows of a field of vectors, from (x, y) to (x + scale u, y + scale v). What is not finite is left out.
-- @param x  array of any shape or list
-- @param y  array, as many
-- @param u  array, as many: the vectors' first components
-- @param v  array, as many: their second
-- @param opts.scale  number: length of a vector of length 1 in units of the axes; default so that the longest reaches
-- as far as the arrows stand apart
-- @param opts.width  number: points of the shafts (1.2)
-- @param opts.head  number: longest points of a head (6)
-- @param opts.label  and color, alpha: as for line
function quiver.read(r, x, y, u, v, opts)
  local function flat(a)
    if type(a) == "table" and not args.is_array(a) and type(a[1]) == "table" then a = pg.array(a) end
    return args.is_array(a) and a.ndim ~= 1 and a:reshape(a.size) or a
  end
  local a, b, c, d = r:columns({"x", "y", "u", "v"}, flat(x), flat(y), flat(u), flat(v))
  local layer = r:options(5, opts, quiver.options)
  local good = #a > 0 and pg.isfinite(a + b + c + d) or a
  if #a > 0 then a, b, c, d = a:compress(good), b:compress(good), c:compress(good), d:compress(good) end
  local scale = layer.scale
  if not scale then
    local most = #a > 0 and pg.hypot(c, d):max() or 0
    local area = #a > 0 and (a:max() - a:min()) * (b:max() - b:min()) or 0
    scale = most > 0 and (area > 0 and 0.9 * math.sqrt(area / #a) / most or 1) or 1
  end
  layer.x, layer.y, layer.to_x, layer.to_y = a, b, a + c * scale, b + d * scale
  return layer
end

function quiver:bounds(xlog, ylog)
  local a, b, c, d = draw.extent_of(self.x, {self.y}, xlog, ylog)
  local e, f, g, h = draw.extent_of(self.to_x, {self.to_y}, xlog, ylog)
  if not a or not e then return a or e, b or f, c or g, d or h end
  return math.min(a, e), math.max(b, f), math.min(c, g), math.max(d, h)
end

function quiver:draw(view)
  local canvas, pen = view.canvas, view.pen
  pen:color(self.color, self.alpha)
  draw.set_pen(pen, self.width)
  local xs, ys, us, vs = self.x:totable(), self.y:totable(), self.to_x:totable(), self.to_y:totable()
  for i = 1, #xs do
    local x, y, u, v = view.x:place(xs[i]), view.y:place(ys[i]), view.x:place(us[i]), view.y:place(vs[i])
    local dx, dy = u - x, v - y
    local length = math.sqrt(dx * dx + dy * dy)
    if length == length and length < 1e6 then
      if length < 0.5 then
        canvas:rect(x - 0.5, y - 0.5, 1, 1)
        canvas:fill()
      else
        local ex, ey, head = dx / length, dy / length, math.min(self.head * pen.unit, 0.45 * length)
        canvas:move(x, y)
        canvas:line(u - 0.8 * head * ex, v - 0.8 * head * ey)
        canvas:stroke()
        canvas:move(u, v)
        canvas:line(u - head * ex - 0.4 * head * ey, v - head * ey + 0.4 * head * ex)
        canvas:line(u - head * ex + 0.4 * head * ey, v - head * ey - 0.4 * head * ex)
        canvas:join()
        canvas:fill()
      end
    end
  end
end

quiver.cover = draw.cover_points

function quiver:sample(pen, x, y, width)
  pen:color(self.color, self.alpha)
  draw.set_pen(pen, self.width)
  local head = self.head * pen.unit
  pen.canvas:move(x, y)
  pen.canvas:line(x + width - 0.8 * head, y)
  pen.canvas:stroke()
  pen.canvas:move(x + width, y)
  pen.canvas:line(x + width - head, y - 0.4 * head)
  pen.canvas:line(x + width - head, y + 0.4 * head)
  pen.canvas:join()
  pen.canvas:fill()
end

return {quiver}
