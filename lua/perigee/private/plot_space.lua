-- SPDX-License-Identifier: MIT
--
-- Figures in space: an orthographic view of the box between three axes, from azimuth and elevation
-- in degrees (as matplotlib counts them); what the marks draw is sorted by depth, those behind first.
--
-- With d the direction to the viewer, the faces that d points away from are the walls; ticks stand
-- on the edges of the floor that are nearest, and on the upright edge that is leftmost.

local pg = ...
local ticks, legend, axes, read = pg._plot_ticks, pg._plot_legend, pg._plot_axes, pg._plot_read
local ipairs, math, setmetatable, table = ipairs, math, setmetatable, table

local space = {}

local names = {"x", "y", "z"}
local proportions = {1, 1, 0.8}

-- Limits of each axis over all layers.
local function limits(fig)
  local lo, hi = {}, {}
  local all = {}
  for _, layer in ipairs(fig.layers) do all[#all + 1] = layer:extents() end
  for k, name in ipairs(names) do
    local a, b
    for _, e in ipairs(all) do a, b = math.min(a or e[k][1], e[k][1]), math.max(b or e[k][2], e[k][2]) end
    if not a then a, b = 0, 1 end
    local wide, high = read.widened(a, b)
    if wide == a then
      local margin = 0.03 * (b - a)
      wide, high = a - margin, b + margin
    end
    lo[k], hi[k] = wide, high
    local given = fig.given_limits[name]
    if given then lo[k], hi[k] = given[1] or lo[k], given[2] or hi[k] end
    if lo[k] >= hi[k] then lo[k], hi[k] = math.min(lo[k], hi[k]) - 0.5, math.max(lo[k], hi[k]) + 0.5 end
  end
  return lo, hi
end

-- The camera: unit vectors to the right, up, and towards the viewer.
local function camera(azim, elev)
  local a, e = math.rad(azim), math.rad(elev)
  return {-math.sin(a), math.cos(a), 0},
    {-math.sin(e) * math.cos(a), -math.sin(e) * math.sin(a), math.cos(e)},
    {math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)}
end

local view = {}
view.__index = view

-- A point of the box, coordinates in 0..1, on the canvas.
function view:project(p)
  local u, v = 0, 0
  for k = 1, 3 do
    local c = (p[k] - 0.5) * proportions[k]
    u, v = u + c * self.right[k], v + c * self.up[k]
  end
  return self.x + self.scale * u, self.y - self.scale * v
end

function view:share(k, v) return (v - self.lo[k]) / (self.hi[k] - self.lo[k]) end

-- The three edges with ticks: which axis runs along them, and the two ends.
local function edges(self)
  local near, far = self.near, self.far
  local out = {}
  for k = 1, 2 do
    local a = {far[1], far[2], far[3]}
    a[3 - k] = near[3 - k]
    local b = {a[1], a[2], a[3]}
    a[k], b[k] = 0, 1
    out[k] = {axis = k, from = a, to = b}
  end
  local left
  for _, corner in ipairs({{near[1], far[2]}, {far[1], near[2]}}) do
    local x = self:project({corner[1], corner[2], 0.5})
    if not left or x < left then
      left = x
      out[3] = {axis = 3, from = {corner[1], corner[2], 0}, to = {corner[1], corner[2], 1}}
    end
  end
  return out
end

-- Where ticks, their labels and the axis' name stand on one edge.
local function dress(self, edge)
  local pen, u, s = self.pen, self.pen.unit, self.sizes
  local x0, y0 = self:project(edge.from)
  local x1, y1 = self:project(edge.to)
  local length = math.sqrt((x1 - x0) ^ 2 + (y1 - y0) ^ 2)
  edge.x0, edge.y0, edge.x1, edge.y1 = x0, y0, x1, y1
  local ox, oy = (y1 - y0) / math.max(length, 1e-9), -(x1 - x0) / math.max(length, 1e-9)
  -- away from the box
  local side = ((x0 + x1) / 2 - self.x) * ox + ((y0 + y1) / 2 - self.y) * oy
  if side < 0 then ox, oy = -ox, -oy end
  edge.ox, edge.oy = ox, oy
  local k = edge.axis
  local lo, hi = self.lo[k], self.hi[k]
  local function along(label)
    local cx, cy = math.abs(x1 - x0) / math.max(length, 1e-9), math.abs(y1 - y0) / math.max(length, 1e-9)
    return cx * pen:width(label, s.tick) + cy * s.tick
  end
  local most = math.max(1, math.min(7, length // (2.6 * s.tick)))
  edge.ticks = ticks.fit(lo, hi, false, most, function(v) return length * self:share(k, v) end, along, 0.4 * s.tick)
  edge.items = {}
  local reach = 0
  for i, v in ipairs(edge.ticks.values) do
    local t = self:share(k, v)
    local x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
    local label = edge.ticks.labels[i]
    local half = math.abs(ox) * pen:width(label, s.tick) / 2 + math.abs(oy) * 0.36 * s.tick
    local off = 6.5 * u + half
    edge.items[i] = {x = x, y = y, label = label, at_x = x + ox * off, at_y = y + oy * off}
    reach = math.max(reach, 6.5 * u + 2 * half)
  end
  local name = self.fig.settings[names[k] .. "label"] or ""
  if edge.ticks.note ~= "" then name = (name == "" and "" or name .. " ") .. "(" .. edge.ticks.note .. ")" end
  edge.name = nil
  if name ~= "" then
    local angle = math.atan(-(y1 - y0), x1 - x0)
    if angle > math.pi / 2 + 1e-6 then angle = angle - math.pi end
    if angle <= -math.pi / 2 + 1e-6 then angle = angle + math.pi end
    local lines, size = pen:lines(name, s.label, math.max(length, 9 * s.label), 1)
    local off = reach + 4.5 * u + 0.5 * s.label
    edge.name = {text = lines[1], size = size, angle = angle, x = (x0 + x1) / 2 + ox * off,
      y = (y0 + y1) / 2 + oy * off}
  end
end

-- Whether every text and the box lie in the area.
local function fits(self)
  local area, pen, s = self.area, self.pen, self.sizes
  local function inside(l, t, r, b)
    return l >= area.left and t >= area.top and r <= area.right and b <= area.bottom
  end
  local edges_now = edges(self)
  for _, edge in ipairs(edges_now) do
    dress(self, edge)
    if not inside(math.min(edge.x0, edge.x1), math.min(edge.y0, edge.y1), math.max(edge.x0, edge.x1),
      math.max(edge.y0, edge.y1)) then return false end
    for _, item in ipairs(edge.items) do
      local box = pen:place(item.label, s.tick, item.at_x, item.at_y, "center", "middle")
      if not inside(box.left, box.top, box.right, box.bottom) then return false end
    end
    if edge.name then
      local name = edge.name
      local box = pen:place(name.text, name.size, name.x, name.y, "center", "middle", name.angle)
      if not inside(box.left, box.top, box.right, box.bottom) then return false end
    end
  end
  for i = 0, 7 do
    local x, y = self:project({i & 1, i >> 1 & 1, i >> 2 & 1})
    if not inside(x, y, x, y) then return false end
  end
  self.edges = edges_now
  return true
end

-- The largest box whose texts all fit: halving the scale's interval, then the middle moved to
-- where both sides leave as much.
local function settle(self)
  local area = self.area
  local width, height = area.right - area.left, area.bottom - area.top
  local best
  for _, shift in ipairs({{0.5, 0.5}, {0.53, 0.46}, {0.56, 0.43}, {0.5, 0.45}}) do
    self.x, self.y = area.left + shift[1] * width, area.top + shift[2] * height
    local lo, hi = 0, 2 * math.min(width, height)
    for _ = 1, 12 do
      self.scale = (lo + hi) / 2
      if fits(self) then lo = self.scale else hi = self.scale end
    end
    if not best or lo > best.scale then best = {scale = lo, x = self.x, y = self.y} end
  end
  self.scale, self.x, self.y = math.max(best.scale, 8), best.x, best.y
  self.area = {left = -1e9, top = -1e9, right = 1e9, bottom = 1e9}
  fits(self)
  self.area = area
end

local function polygon(self, corners)
  local canvas = self.pen.canvas
  for k, corner in ipairs(corners) do
    local x, y = self:project(corner)
    if k == 1 then canvas:move(x, y) else canvas:line(x, y) end
  end
  canvas:join()
end

local function segment(self, a, b)
  local canvas = self.pen.canvas
  local x, y = self:project(a)
  canvas:move(x, y)
  x, y = self:project(b)
  canvas:line(x, y)
  canvas:stroke()
end

local function draw_walls(self)
  local pen, canvas, u = self.pen, self.pen.canvas, self.pen.unit
  for k = 1, 3 do
    local i, j = k % 3 + 1, (k + 1) % 3 + 1
    local corners = {}
    for n, c in ipairs({{0, 0}, {1, 0}, {1, 1}, {0, 1}}) do
      corners[n] = {}
      corners[n][k], corners[n][i], corners[n][j] = self.far[k], c[1], c[2]
    end
    pen:color({0.965, 0.965, 0.97})
    polygon(self, corners)
    canvas:fill()
    pen:color({0.78, 0.78, 0.78})
    canvas:pen(0.6 * u)
    polygon(self, corners)
    canvas:stroke()
  end
  pen:color({0.87, 0.87, 0.87})
  canvas:pen(0.6 * u)
  for _, edge in ipairs(self.edges) do
    local k = edge.axis
    for _, v in ipairs(edge.ticks.values) do
      local t = self:share(k, v)
      for n = 1, 2 do
        local wall, run = (k + n - 1) % 3 + 1, (k + 2 - n) % 3 + 1
        local a, b = {}, {}
        a[k], b[k], a[wall], b[wall], a[run], b[run] = t, t, self.far[wall], self.far[wall], 0, 1
        segment(self, a, b)
      end
    end
  end
end

-- Of two tick labels that meet at a corner the second is left out.
local function thin(self)
  local pen, s, taken = self.pen, self.sizes, {}
  for _, edge in ipairs(self.edges) do
    for _, item in ipairs(edge.items) do
      local box = pen:place(item.label, s.tick, item.at_x, item.at_y, "center", "middle")
      for _, other in ipairs(taken) do
        if box.left < other.right + 2 and other.left < box.right + 2 and box.top < other.bottom + 1
          and other.top < box.bottom + 1 then item.label = "" end
      end
      if item.label ~= "" then taken[#taken + 1] = box end
    end
  end
end

local function draw_edges(self)
  local pen, canvas, u, s = self.pen, self.pen.canvas, self.pen.unit, self.sizes
  for _, edge in ipairs(self.edges) do
    pen:color(axes.colors.soft)
    canvas:pen(0.9 * u)
    canvas:move(edge.x0, edge.y0)
    canvas:line(edge.x1, edge.y1)
    canvas:stroke()
    for _, item in ipairs(edge.items) do
      canvas:move(item.x, item.y)
      canvas:line(item.x + edge.ox * 3.5 * u, item.y + edge.oy * 3.5 * u)
      canvas:stroke()
    end
    pen:color(axes.colors.ink)
    for _, item in ipairs(edge.items) do
      pen:text("tick", item.label, s.tick, item.at_x, item.at_y, "center", "middle")
    end
    if edge.name then
      pen:text("axis", edge.name.text, edge.name.size, edge.name.x, edge.name.y, "center", "middle", edge.name.angle)
    end
  end
end

-- ---- what marks ask -------------------------------------------------------------------------

-- Where a point lies in the box, in shares of its sides as they are seen.
function view:shares(x, y, z)
  local out = {}
  for k, v in ipairs({x, y, z}) do out[k] = self:share(k, v) * proportions[k] end
  return out
end

-- Of arrays of coordinates (of one shape) the places on the canvas and the depths, each flat.
function view:project_all(x, y, z)
  local u, v, depth = 0, 0, 0
  for k, a in ipairs({x, y, z}) do
    local by = proportions[k] / (self.hi[k] - self.lo[k])
    local c = (a:reshape(a.size) - (self.lo[k] + self.hi[k]) / 2) * by
    u, v, depth = u + c * self.right[k], v + c * self.up[k], depth + c * self.ahead[k]
  end
  return u * self.scale + self.x, v * -self.scale + self.y, depth
end

-- How strong the colour is of what lies at a depth (number or array): 1 nearest, 0.4 farthest.
function view:nearness(depth)
  local lo, hi = self.depths[1], self.depths[2]
  if not (lo and hi > lo) then return depth * 0 + 1 end
  return (depth - lo) / (hi - lo) * 0.6 + 0.4
end

-- The least and the greatest depth of all layers.
local function depths_of(self, layers)
  local lo, hi
  for _, layer in ipairs(layers) do
    if layer.x.size > 0 then
      local _, _, depth = self:project_all(layer.x, layer.y, layer.z)
      local a, b = pg._canvas.extent(depth, nil, false, false)
      if a then lo, hi = math.min(lo or a, a), math.max(hi or b, b) end
    end
  end
  return {lo, hi}
end

local function draw_layers(self, layers)
  self.depths = depths_of(self, layers)
  self.only = #layers > 0 and layers[1].__index or nil
  for _, layer in ipairs(layers) do
    if layer.__index ~= self.only then self.only = nil end
  end
  local items = {}
  for _, layer in ipairs(layers) do layer:draw(self, items) end
  for k, item in ipairs(items) do item.order = k end
  table.sort(items, function(a, b)
    if a.depth ~= b.depth then return a.depth < b.depth end
    return a.order < b.order
  end)
  for _, item in ipairs(items) do item.draw(self.pen.canvas) end
end

-- Draws the figure into rect.
function space.draw(fig, pen, rect, sizes)
  local u = pen.unit
  local self = setmetatable({fig = fig, pen = pen, sizes = sizes, rect = rect}, view)
  self.lo, self.hi = limits(fig)
  local azim, elev = -60, 25
  for _, layer in ipairs(fig.layers) do azim, elev = layer.azim or azim, layer.elev or elev end
  self.right, self.up, self.ahead = camera(azim, elev)
  self.near, self.far = {}, {}
  for k = 1, 3 do
    self.near[k] = self.ahead[k] >= 0 and 1 or 0
    self.far[k] = 1 - self.near[k]
  end
  local pad = 6 * u
  local title, size = {}, sizes.title
  local text = fig.settings.title
  if text then title, size = pen:lines(text, sizes.title, rect.right - rect.left - 2 * pad, 2) end
  local area = {left = rect.left + pad, right = rect.right - pad, bottom = rect.bottom - pad,
    top = rect.top + pad + #title * 1.22 * size + (#title > 0 and 4 * u or 0)}
  local entries = {}
  for _, layer in ipairs(fig.layers) do
    if layer.label and fig.legend_place ~= "none" then entries[#entries + 1] = layer end
  end
  local box, left, top
  if #entries > 0 then
    box = legend.measure(pen, entries, sizes.legend)
    if box.width > 0.3 * (area.right - area.left) or box.height > area.bottom - area.top then
      box = legend.fit(pen, entries, sizes.legend, area.right - area.left, 0.5 * (area.bottom - area.top))
      left, top = (area.left + area.right - box.width) / 2, area.bottom - box.height
      area.bottom = top - 4 * u
    else
      left, top = area.right - box.width, area.top
      area.right = left - 4 * u
    end
  end
  local bar
  for _, layer in ipairs(fig.layers) do
    if layer.scale and layer.scale.shown then bar = bar or layer.scale end
  end
  if bar then area.right = area.right - axes.bar_room(pen, sizes, bar, area) end
  self.area = area
  settle(self)
  draw_walls(self)
  thin(self)
  draw_edges(self)
  draw_layers(self, fig.layers)
  if bar then axes.draw_bar(pen, sizes, bar, area) end
  pen:color(axes.colors.ink)
  local y = rect.top + pad
  for _, line in ipairs(title) do
    pen:text("title", line, size, (rect.left + rect.right) / 2, y, "center", "top")
    y = y + 1.22 * size
  end
  if box then legend.draw(pen, box, left, top, false) end
  pen.area = area
  return self
end

return space
