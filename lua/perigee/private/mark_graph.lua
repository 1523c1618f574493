-- SPDX-License-Identifier: MIT
local pg = ...
local args, color, read, draw = pg._args, pg._plot_color, pg._plot_read, pg._plot_draw
local ipairs, math, tostring, type = ipairs, math, tostring, type

local graph = {name = "graph", bare = true, alpha = 1}

graph.options = {color = read.any(), labels = read.any(), size = read.positive(), alpha = read.share(1),
  label = read.text()}

-- Sets the layer's colours of n nodes from one, a list of n, or an array n x 3.
local function color_nodes(r, layer, n, c)
  layer.node_colors = {}
  if args.is_array(c) then
    if c.ndim ~= 2 or c.shape[1] ~= n or (c.shape[2] ~= 3 and c.shape[2] ~= 4) then
      r:fail(3, ("color: expected one, a list of %d, or %d x 3, got shape %s"):format(n, n, tostring(c.shape)))
    end
    layer.node_colors = c:clip(0, 1):totable()
    layer.color = {0.4, 0.6, 0.8}
  elseif type(c) == "table" and #c == n and type(c[1]) ~= "number" then
    for i = 1, n do layer.node_colors[i] = r:color("color", c[i]) end
    layer.color = layer.node_colors[1]
  else
    layer.color = c and r:color("color", c) or {0.62, 0.78, 0.92}
  end
end

local function label_nodes(r, n, labels)
  if not labels then return nil end
  if labels ~= true and (type(labels) ~= "table" or #labels ~= n) then
    r:fail(3, ("labels: expected true or a list of %d, got %s"):format(n, args.got(labels)))
  end
  local out = {}
  for i = 1, n do out[i] = tostring(labels == true and i or labels[i]) end
  return out
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
function graph.read(r, E, pos, opts)
  E = r:matrix(1, "E", E, "n x n")
  if E.shape[1] ~= E.shape[2] then r:fail(1, "E: expected a matrix n x n, got " .. args.got(E)) end
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
    r:fail(2, ("pos: expected %d x 2, got %s"):format(n, args.got(pos)))
  end
  local o = r:options(3, opts, graph.options)
  local layer = {x = pos:slice({}, 1):astype("f64"), y = pos:slice({}, 2):astype("f64"), edges = {}, size = o.size,
    label = o.label, edge_alpha = o.alpha}
  local rows = E:totable()
  for i = 1, n do
    for j = i + 1, n do
      if rows[i][j] ~= 0 or rows[j][i] ~= 0 then layer.edges[#layer.edges + 1] = {i, j} end
    end
  end
  color_nodes(r, layer, n, o.color)
  layer.labels = label_nodes(r, n, o.labels)
  r.figure.settings.aspect = "equal"
  return layer
end

-- With room for the circles at the edge.
function graph:bounds()
  local a, b, c, d = pg._canvas.extent(self.x, self.y, false, false)
  if not a then return end
  local room = 0.07 * math.max(b - a, d - c)
  return a - room, b + room, c - room, d + room
end

function graph:radius(view)
  if self.size then return self.size / 2 * view.pen.unit end
  local side = math.min(view.area.right - view.area.left, view.area.bottom - view.area.top)
  return math.max(2.2 * view.pen.unit, math.min(0.05 * side, 0.19 * side / math.sqrt(math.max(1, #self.x))))
end

-- Calls visit(u, v, i) for each node that can be seen.
local function each(self, view, visit)
  local xs, ys = self.x:totable(), self.y:totable()
  for i = 1, #xs do
    local u, v = view.x:place(xs[i]), view.y:place(ys[i])
    if u == u and v == v and math.abs(u) < 1e9 and math.abs(v) < 1e9 then visit(u, v, i) end
  end
  return xs, ys
end

function graph:draw(view)
  local canvas, pen, r = view.canvas, view.pen, self:radius(view)
  local xs, ys = self.x:totable(), self.y:totable()
  pen:color({0.45, 0.45, 0.45}, self.edge_alpha)
  canvas:pen(math.max(1, 0.9 * pen.unit))
  for _, edge in ipairs(self.edges) do
    canvas:move(view.x:place(xs[edge[1]]), view.y:place(ys[edge[1]]))
    canvas:line(view.x:place(xs[edge[2]]), view.y:place(ys[edge[2]]))
    canvas:stroke()
  end
  local size = math.min(1.1 * r, 9 * pen.unit)
  each(self, view, function(u, v, i)
    local c = self.node_colors[i] or self.color
    pen:color(c)
    canvas:circle(u, v, r)
    canvas:fill()
    pen:color({0.2, 0.2, 0.2})
    canvas:pen(math.max(1, 0.7 * pen.unit))
    canvas:circle(u, v, r)
    canvas:stroke()
    local label = self.labels and self.labels[i]
    if label then
      local now = math.min(size, size * 1.6 * r / math.max(1e-9, pen:width(label, size)))
      if color.lightness(c) < 0.52 then canvas:color(1, 1, 1) else canvas:color(0.1, 0.1, 0.1) end
      if now >= 4 then pen:text("node", label, now, u, v, "center", "middle") end
    end
  end)
end

function graph:cover(view, out)
  local r = self:radius(view)
  local xs, ys = each(self, view, function(u, v) out[#out + 1] = {u - r, v, u + r, v} end)
  for _, e in ipairs(self.edges) do
    out[#out + 1] = {view.x:place(xs[e[1]]), view.y:place(ys[e[1]]), view.x:place(xs[e[2]]), view.y:place(ys[e[2]])}
  end
end

function graph:sample(pen, x, y, width)
  pen:color(self.color)
  draw.sample_mark(pen, x, y, width, "circle", self.size and math.max(4, math.min(self.size, 8)) or 6)
end

return {graph}
