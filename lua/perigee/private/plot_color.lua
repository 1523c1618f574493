-- SPDX-License-Identifier: MIT
--
-- Colours: a cycle and maps that people who are colour-blind can read.

local pg = ...
local args = pg._args

local color = {}

-- Okabe and Ito, "Color universal design" (2008), without its yellow, which white paper swallows.
local cycle = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"}

local named = {black = "#000000", white = "#FFFFFF", grey = "#7F7F7F", gray = "#7F7F7F", blue = "#0072B2",
  red = "#C4161C", green = "#009E73", orange = "#E69F00", purple = "#7B3FA0", pink = "#CC79A7", sky = "#56B4E9",
  yellow = "#F0E442", brown = "#8C5A2B", lightgrey = "#CCCCCC", lightgray = "#CCCCCC"}

-- Levels 0..255 at even distances; between them a map is linear. viridis, magma, inferno and plasma: every sixteenth of
-- the tables by Nathaniel Smith and Stefan van der Walt (2015), twilight of that by Bastian Bechtold (2017), which they
-- gave to the public (CC0). cubehelix: Green, Bull. Astron. Soc. India 39, 289 (2011), start 0.5, -1.5 rotations.
local maps = {
  viridis = {{68, 1, 84}, {72, 24, 106}, {71, 45, 123}, {66, 64, 134}, {59, 82, 139}, {51, 99, 141}, {44, 114, 142},
    {38, 130, 142}, {33, 145, 140}, {31, 160, 136}, {40, 174, 128}, {63, 188, 115}, {94, 201, 98}, {132, 212, 75},
    {173, 220, 48}, {216, 226, 25}, {253, 231, 37}},
  magma = {{0, 0, 4}, {10, 8, 34}, {29, 17, 71}, {54, 16, 107}, {81, 18, 124}, {106, 28, 129}, {131, 38, 129},
    {156, 46, 127}, {183, 55, 121}, {207, 64, 112}, {229, 80, 100}, {244, 105, 92}, {251, 135, 97}, {254, 165, 113},
    {254, 194, 135}, {253, 224, 161}, {252, 253, 191}},
  inferno = {{0, 0, 4}, {11, 7, 36}, {33, 12, 74}, {61, 9, 101}, {87, 16, 110}, {113, 25, 110}, {138, 34, 106},
    {163, 44, 97}, {188, 55, 84}, {208, 69, 69}, {227, 89, 51}, {241, 113, 31}, {249, 140, 10}, {252, 170, 15},
    {249, 201, 50}, {242, 232, 101}, {252, 255, 164}},
  plasma = {{13, 8, 135}, {49, 5, 151}, {76, 2, 161}, {102, 0, 167}, {126, 3, 168}, {149, 17, 161}, {170, 35, 149},
    {188, 53, 135}, {204, 71, 120}, {217, 88, 106}, {229, 107, 93}, {240, 127, 79}, {248, 148, 65}, {253, 171, 51},
    {253, 195, 40}, {249, 221, 37}, {240, 249, 33}},
  twilight = {{226, 217, 226}, {194, 206, 212}, {147, 180, 198}, {114, 151, 193}, {98, 118, 186}, {94, 81, 173},
    {89, 42, 143}, {69, 19, 92}, {48, 20, 55}, {74, 19, 66}, {116, 30, 79}, {152, 53, 80}, {178, 86, 82},
    {194, 124, 99}, {204, 162, 135}, {216, 198, 189}, {226, 217, 226}},
  grey = {{0, 0, 0}, {255, 255, 255}},
  blues = {{255, 255, 255}, {190, 215, 238}, {110, 168, 214}, {40, 110, 178}, {8, 48, 107}},
  diverging = {{0, 60, 120}, {90, 150, 200}, {245, 245, 245}, {225, 140, 85}, {150, 45, 0}},
}
maps.cubehelix = {}
for i = 0, 32 do
  local l = i / 32
  local angle, amplitude = 2 * math.pi * (0.5 / 3 + 1 - 1.5 * l), l * (1 - l) / 2
  local c, s = math.cos(angle) * amplitude, math.sin(angle) * amplitude
  local rgb = {l - 0.14861 * c + 1.78277 * s, l - 0.29227 * c - 0.90649 * s, l + 1.97294 * c}
  for k, v in ipairs(rgb) do rgb[k] = 255 * math.max(0, math.min(1, v)) end
  maps.cubehelix[i + 1] = rgb
end
local map_names = {"blues", "cubehelix", "diverging", "gray", "grey", "inferno", "magma", "plasma", "twilight",
  "viridis"}

local function parse_text(text)
  local hex = (named[text] or text):match("^#(%x+)$")
  if hex and #hex == 3 then hex = hex:gsub(".", "%0%0") end
  if not hex or #hex ~= 6 then return nil end
  local out = {}
  for k = 1, 3 do out[k] = tonumber(hex:sub(2 * k - 1, 2 * k), 16) / 255 end
  return out
end

-- {r, g, b [, a]} in 0..1 of what a user writes for one colour: a name, "#rrggbb", a place in the
-- cycle, or the numbers; nil when it is none of them.
function color.parse(spec)
  if math.type(spec) == "integer" and spec >= 1 then return parse_text(cycle[(spec - 1) % #cycle + 1]) end
  if type(spec) == "string" then return parse_text(spec) end
  if type(spec) ~= "table" or (#spec ~= 3 and #spec ~= 4) then return nil end
  for _, v in ipairs(spec) do
    if type(v) ~= "number" or v < 0 or v > 1 or v ~= v then return nil end
  end
  return spec
end

-- The same, or an error about argument `arg` of the method `name`.
function color.check(name, arg, spec)
  local out = color.parse(spec)
  if not out then
    args.fail(name, arg, 'color: expected a name, "#rrggbb", {r, g, b} in 0..1 or a number of the cycle, got '
      .. args.got(spec))
  end
  return out
end

-- The map as an array (256, 3) of 0..255. `spec` is a name or a list of colours.
function color.map(name, arg, spec)
  local anchors = maps[spec == nil and "viridis" or spec == "gray" and "grey" or spec]
  if not anchors and type(spec) == "table" and #spec >= 2 then
    anchors = {}
    for k, one in ipairs(spec) do
      local c = color.check(name, arg, one)
      anchors[k] = {c[1] * 255, c[2] * 255, c[3] * 255}
    end
  elseif not anchors then
    args.choice(name, arg, "cmap", spec, map_names)
  end
  local out = {}
  for i = 0, 255 do
    local at = i / 255 * (#anchors - 1)
    local k = math.min(math.floor(at), #anchors - 2)
    local a, b, t = anchors[k + 1], anchors[k + 2], at - k
    out[i + 1] = {a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t, a[3] + (b[3] - a[3]) * t}
  end
  return pg.array(out)
end

-- How light a colour looks, 0..1.
function color.lightness(c)
  return 0.299 * c[1] + 0.587 * c[2] + 0.114 * c[3]
end

return color
