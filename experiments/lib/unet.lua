-- SPDX-License-Identifier: MIT
--
-- The nets of homework 4: eps(z, t), the noise in a picture z (n x 1 x s x s, s a multiple of 8) after t = 1..T steps,
-- and f(z, t), a number for each picture. The published U-Net and a small one.
local pg = require "perigee"
local nn = pg.nn

local function conv(i, o) return nn.conv2d(i, o, 3, {padding = 1}) end

-- ---- as published: 7,966,081 and 4,739,521 parameters --------------------------------------------

-- Sines and cosines of t - 1 = 0..T-1 at 32 frequencies from 1 to 1000 turns in T steps.
local function published_time(t, T)
  local turns = pg.exp(pg.linspace(0, math.log(1000), 32))
  local angle = (t:astype("f64") - 1):expand_dims(2) * turns * (2 * math.pi / T)
  return pg.concat({pg.sin(angle), pg.cos(angle)}, 2):astype("f32")
end

local function double(i, o) return nn.sequential{conv(i, o), nn.relu, conv(o, o), nn.relu} end
local function larger(x) return pg.upsample2d(x, 2, {mode = "bilinear", align_corners = true}) end

-- The pictures with the 64 numbers of time as 64 channels more.
local function with_time(x, e)
  local n, _, h, w = x:dims()
  return pg.concat({x, pg.broadcast_to(e:reshape(n, 64, 1, 1), n, 64, h, w)}, 2)
end

local function course_down(m, x, e)
  local a = m.down1(with_time(x, e))
  local b = m.down2(pg.max_pool2d(a, 2))
  local c = m.down3(pg.max_pool2d(b, 2))
  return m.down4(pg.max_pool2d(c, 2)), c, b, a
end

local function course_parts()
  return {down1 = double(65, 64), down2 = double(64, 128), down3 = double(128, 256), down4 = double(256, 512)}
end

local course = {published = true}

function course.noise(T)
  local parts = course_parts()
  parts.up3, parts.up2, parts.up1 = double(512 + 64 + 256, 256), double(256 + 128, 128), double(128 + 64, 64)
  parts.last = nn.conv2d(64, 1, 1)
  return nn.module(parts, function(m, x, t)
    local e = published_time(t, T)
    local d, c, b, a = course_down(m, x, e)
    local u = m.up3(pg.concat({larger(with_time(d, e)), c}, 2))
    u = m.up2(pg.concat({larger(u), b}, 2))
    return m.last(m.up1(pg.concat({larger(u), a}, 2)))
  end)
end

function course.label(T, size)
  local parts = course_parts()
  parts.dense = nn.linear(512 * (size // 8) ^ 2 // 1 | 0, 1)
  return nn.module(parts, function(m, x, t)
    return m.dense(course_down(m, x, published_time(t, T)):reshape(#x, -1)):reshape(-1)
  end)
end

-- The published weights, whatever they are called: all arrays are told apart by their shapes but for the second
-- convolution of a pair, which stands beside the first under one name.
function course.read(net, path)
  local found = {}
  local function visit(value)
    for name, v in pairs(value) do
      if type(v) == "table" then
        visit(v)
      elseif type(name) == "string" and name:find("weight$") then
        found[#found + 1] = {stem = name:match("^(.*)weight$"), weight = v, bias = value[name:gsub("weight$", "bias")]}
      end
    end
  end
  visit(pg.load(path))
  table.sort(found, function(a, b) return a.stem < b.stem end)
  local function take(to, group)
    for _, one in ipairs(found) do
      local pair = one.stem:match("^(.*)%.%d+%.$")
      if one.weight.shape == to.weight.shape and one.bias and (not group or pair == group) then
        to.weight:assign(one.weight)
        to.bias:assign(one.bias)
        return pair
      end
    end
    error(("%s: no convolution of %s%s; it is no file of the published U-Net"):format(path, tostring(to.weight.shape),
      group and " in " .. group or ""), 0)
  end
  for _, part in ipairs{"down1", "down2", "down3", "down4", "up3", "up2", "up1"} do
    take(net[part][3], take(net[part][1]))
  end
  take(net.last)
end

-- ---- a small one ----------------------------------------------------------------------------------
-- Three resolutions with c, 2c and 4c channels; residual blocks of group norm, SiLU and convolution to which time adds
-- a number a channel (Ho et al. 2020); nearest upsampling, skips by concatenation.

local function time_features(t, T)
  local rate = pg.exp(pg.range(0, 31) * (-math.log(1e4) / 32))
  local angle = (t:astype("f64") - 1):expand_dims(2) * rate * (1000 / T)
  return pg.concat({pg.sin(angle), pg.cos(angle)}, 2):astype("f32")
end

local function block(i, o)
  return nn.module({n1 = nn.group_norm(8, i), c1 = conv(i, o), t = nn.linear(64, o), n2 = nn.group_norm(8, o),
    c2 = conv(o, o), skip = i ~= o and nn.conv2d(i, o, 1) or nil}, function(m, x, e)
    local h = m.c1(nn.silu(m.n1(x))) + m.t(nn.silu(e)):reshape(#x, o, 1, 1)
    return (i ~= o and m.skip(x) or x) + m.c2(nn.silu(m.n2(h)))
  end)
end

local function small_parts(c)
  return {time = nn.sequential{nn.linear(64, 64), nn.silu, nn.linear(64, 64)}, first = conv(1, c), d1 = block(c, c),
    d2 = block(c, 2 * c), d3 = block(2 * c, 4 * c)}
end

local function small_down(m, x, e)
  local a = m.d1(m.first(x), e)
  local b = m.d2(pg.avg_pool2d(a, 2), e)
  return m.d3(pg.avg_pool2d(b, 2), e), b, a
end

local small = {published = false}

function small.noise(T, _, c)
  local parts = small_parts(c)
  parts.u2, parts.u1 = block(6 * c, 2 * c), block(3 * c, c)
  parts.norm, parts.last = nn.group_norm(8, c), conv(c, 1)
  return nn.module(parts, function(m, x, t)
    local e = m.time(time_features(t, T))
    local u, b, a = small_down(m, x, e)
    u = m.u2(pg.concat({pg.upsample2d(u, 2), b}, 2), e)
    u = m.u1(pg.concat({pg.upsample2d(u, 2), a}, 2), e)
    return m.last(nn.silu(m.norm(u)))
  end)
end

-- Labels lie in 0..100: the net's output counts from 50 in steps of 25.
function small.label(T, size, c)
  local parts = small_parts(c)
  parts.norm, parts.dense = nn.group_norm(8, 4 * c), nn.linear(4 * c * (size // 4) ^ 2 // 1 | 0, 1)
  return nn.module(parts, function(m, x, t)
    local h = small_down(m, x, m.time(time_features(t, T)))
    return m.dense(nn.silu(m.norm(h)):reshape(#x, -1)):reshape(-1) * 25 + 50
  end)
end

return {course = course, small = small}
