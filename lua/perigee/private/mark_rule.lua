-- SPDX-License-Identifier: MIT
--
-- Straight lines over the whole plot area.
local pg = ...
local read, draw = pg._plot_read, pg._plot_draw

local options = {label = read.text(), color = read.color("grey"), width = read.positive(1.2),
  dash = read.dash("dashed"), alpha = read.share(1)}

local function new_rule(name, upright)
  local rule = {name = name, options = options, upright = upright, sample = draw.sample_line}

  function rule.read(r, at, opts)
    r:finite(1, upright and "x" or "y", at)
    local layer = r:options(2, opts, options)
    layer.at = at
    return layer
  end

  function rule:bounds(xlog, ylog)
    if upright then
      if not xlog or self.at > 0 then return self.at, self.at, nil, nil end
    elseif not ylog or self.at > 0 then
      return nil, nil, self.at, self.at
    end
  end

  function rule:ends(view)
    local area = view.area
    if upright then
      local u = view.x:place(self.at)
      return u, area.top, u, area.bottom
    end
    local v = view.y:place(self.at)
    return area.left, v, area.right, v
  end

  function rule:draw(view)
    local x0, y0, x1, y1 = self:ends(view)
    if x0 ~= x0 or y0 ~= y0 then return end
    view.pen:color(self.color, self.alpha)
    draw.set_pen(view.pen, self.width, self.dash)
    view.canvas:move(x0, y0)
    view.canvas:line(x1, y1)
    view.canvas:stroke()
  end

  function rule:cover(view, out)
    local x0, y0, x1, y1 = self:ends(view)
    if x0 == x0 and y0 == y0 then out[#out + 1] = {x0, y0, x1, y1} end
  end

  return rule
end

--- figure:hline(y [, opts]) -> figure
-- A level line over the whole width, such as a bound.
-- @param y  number
-- @param opts.label  and color ("grey"), width (1.2), dash ("dashed"), alpha: as for line
local hline = new_rule("hline", false)

--- figure:vline(x [, opts]) -> figure
-- An upright line over the whole height.
-- @param x  number
-- @param opts.label  and color ("grey"), width (1.2), dash ("dashed"), alpha: as for line
local vline = new_rule("vline", true)

return {hline, vline}
