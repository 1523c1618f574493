-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").message

local function near(a, b) assert.is_true(pg.allclose(a, b, {rtol = 1e-12, atol = 1e-12})) end

-- y by its definition; stride, padding and dilation are {y, x}.
local function plain(x, w, o)
  local n, c, h, width = x:dims()
  local out, cg, kh, kw = w:dims()
  local s, p, d, groups = o.stride or {1, 1}, o.padding or {0, 0}, o.dilation or {1, 1}, o.groups or 1
  local oh = (h + 2 * p[1] - d[1] * (kh - 1) - 1) // s[1] + 1
  local ow = (width + 2 * p[2] - d[2] * (kw - 1) - 1) // s[2] + 1
  local y = pg.zeros(n, out, oh, ow)
  assert(c == cg * groups)
  for b = 1, n do for k = 1, out do for i = 1, oh do for j = 1, ow do
    local sum = o.bias and o.bias(k) or 0
    for ch = 1, cg do for a = 1, kh do for e = 1, kw do
      local r, q = (i - 1) * s[1] + (a - 1) * d[1] - p[1] + 1, (j - 1) * s[2] + (e - 1) * d[2] - p[2] + 1
      if r >= 1 and r <= h and q >= 1 and q <= width then
        sum = sum + w(k, ch, a, e) * x(b, (k - 1) // (out // groups) * cg + ch, r, q)
      end
    end end end
    y:set(b, k, i, j, sum)
  end end end end
  return y
end

local rng = pg.random.new(11)
local x, w, b = rng:standard_normal(2, 4, 7, 6), rng:standard_normal(6, 2, 3, 2), rng:standard_normal(6)

describe("convolution", function()
  it("is its definition", function()
    for _, o in ipairs{
      {groups = 2}, {groups = 2, bias = b}, {groups = 2, stride = {2, 1}, padding = {1, 2}},
      {groups = 2, dilation = {2, 3}, padding = {2, 1}, stride = {3, 2}},
    } do near(x:conv2d(w, o), plain(x, w, o)) end
    near(pg.conv2d(x, w, {groups = 2, stride = 2, padding = 1}),
      plain(x, w, {groups = 2, stride = {2, 2}, padding = {1, 1}}))
  end)
  it("reads any strides and dtypes", function()
    local o = {groups = 2}
    local y = x:conv2d(w, o)
    near(x:flip(3):flip(3):conv2d(w, o), y)
    near(x:transpose(1, 2, 4, 3):conv2d(w:transpose(1, 2, 4, 3), o), y:transpose(1, 2, 4, 3))
    assert.equal("f32", x:astype("f32"):conv2d(w:astype("f32"), o).dtype)
    assert.equal("f64", x:astype("f32"):conv2d(w, o).dtype)
    assert.equal("(0, 6, 5, 5)", tostring(pg.zeros(0, 4, 7, 6):conv2d(w, o).shape))
  end)
  it("of sequences is that of images with one row", function()
    local s, k = rng:standard_normal(3, 4, 9), rng:standard_normal(5, 4, 3)
    near(s:conv1d(k, {stride = 2, padding = 1}),
      s:expand_dims(3):conv2d(k:expand_dims(3), {stride = {1, 2}, padding = {0, 1}}):squeeze(3))
  end)
  it("and its transpose are adjoint", function()
    for _, o in ipairs{
      {groups = 2}, {groups = 2, stride = 2, padding = 1},
      {groups = 2, stride = {3, 2}, dilation = 2, padding = {2, 1}},
    } do
      local y = x:conv2d(w, o)
      local g = rng:standard_normal(y.shape)
      local dx, dw = pg._conv.data(g, w, o, 7, 6), pg._conv.weights(x, g, o, 3, 2)
      near((y * g):sum(), (x * dx):sum())
      near((y * g):sum(), (w * dw):sum())
      local extra = {}
      for axis = 1, 2 do
        local at = function(v) return type(v) == "table" and v[axis] or v or 1 end
        local reach = (y.shape[axis + 2] - 1) * at(o.stride) - 2 * (o.padding and at(o.padding) or 0) +
          at(o.dilation) * (w.shape[axis + 2] - 1) + 1
        extra[axis] = x.shape[axis + 2] - reach
      end
      near(g:conv_transpose2d(w, {stride = o.stride, padding = o.padding, dilation = o.dilation, groups = 2,
        output_padding = extra}), dx)
    end
    local up = pg.ones(1, 1, 2, 2):conv_transpose2d(pg.ones(1, 2, 2, 2), {stride = 2, bias = pg.array{1, 2}})
    near(up, pg.stack({pg.full({4, 4}, 2), pg.full({4, 4}, 3)}):expand_dims(1))
  end)
  it("says what is wrong", function()
    for call, want in pairs{
      [function() x:conv2d() end] = "bad argument #1 to 'conv2d' (w: expected array, got no value)",
      [function() pg.zeros(3, 3):conv2d(w) end] =
        "bad self in call to 'conv2d' (x: expected 4 axes, n x c x h x w, got array (3, 3) f64)",
      [function() pg.conv1d(x, w) end] =
        "bad argument #1 to 'conv1d' (x: expected 3 axes, n x c x t, got array (2, 4, 7, 6) f64)",
      [function() pg.conv2d(x, w) end] = "conv2d: x has 4 channels, w takes 2",
      [function() pg.conv2d(x, w, {groups = 3}) end] = "conv2d: x has 4 channels, w takes 6",
      [function() pg.conv2d(x, w, {stride = 0}) end] =
        "bad argument #3 to 'conv2d' (stride: expected an integer of at least 1, or {y, x}, got number 0)",
      [function() pg.conv2d(x, w, {padding = {1, 2, 3}}) end] =
        "bad argument #3 to 'conv2d' (padding: expected an integer of at least 0, or {y, x}, got table)",
      [function() pg.conv2d(x, w, {pading = 1}) end] =
        "bad argument #3 to 'conv2d' (unknown option 'pading'; did you mean 'padding'?)",
      [function() pg.conv2d(x, w, {groups = 2, bias = pg.zeros(5)}) end] =
        "bad argument #3 to 'conv2d' (bias: expected array (6,), got array (5,) f64)",
      [function() pg.conv2d(x, w, {groups = 2, dilation = 4}) end] =
        "bad argument #2 to 'conv2d' (w: a kernel that reaches over 9 does not fit an image of 7 with padding)",
      [function() pg.conv_transpose2d(x, w) end] = "conv_transpose2d: x has 4 channels, w takes 6",
      [function() pg.conv_transpose2d(x, pg.zeros(4, 1, 2, 2), {output_padding = 1}) end] =
        "bad argument #3 to 'conv_transpose2d' (output_padding: expected less than the stride 1, got 1)",
      [function() pg.conv_transpose2d(x, pg.zeros(4, 1, 1, 1), {padding = 4}) end] =
        "bad argument #3 to 'conv_transpose2d' (padding: nothing is left of axis 3)",
    } do assert.equal(want, message(call)) end
  end)
end)

describe("pooling and upsampling", function()
  local a = pg.range(1, 16):reshape(1, 1, 4, 4)
  it("take the largest and the mean of windows", function()
    near(a:max_pool2d(2), pg.array{{{{6, 8}, {14, 16}}}})
    near(a:avg_pool2d(2), pg.array{{{{3.5, 5.5}, {11.5, 13.5}}}})
    near(a:max_pool2d({1, 3}, {stride = 1}), a:slice({}, {}, {}, {3, 4}))
    near(pg.max_pool2d(-a, 3, {padding = 1, stride = 3}), pg.array{{{{-1, -3}, {-9, -11}}}})
    near(a:avg_pool2d(3, {padding = 1, stride = 3}), pg.array{{{{14 / 9, 22 / 9}, {46 / 9, 54 / 9}}}})
    near(a:avg_pool2d(3, {padding = 1, stride = 3, count_include_pad = false}),
      pg.array{{{{3.5, 5.5}, {11.5, 13.5}}}})
    local g = pg.ones(1, 1, 2, 2)
    near(pg._plane.max(a, g, 2, {}), pg.array{{{{0, 0, 0, 0}, {0, 1, 0, 1}, {0, 0, 0, 0}, {0, 1, 0, 1}}}})
    near(pg._plane.avg(g, 4, 4, 2, {}), pg.full({1, 1, 4, 4}, 0.25))
  end)
  it("make images larger", function()
    local c = pg.array{{{{1, 2}, {3, 5}}}}
    near(c:upsample2d(2), pg.array{{{{1, 1, 2, 2}, {1, 1, 2, 2}, {3, 3, 5, 5}, {3, 3, 5, 5}}}})
    near(c:upsample2d({3, 3}, {mode = "bilinear", align_corners = true}),
      pg.array{{{{1, 1.5, 2}, {2, 2.75, 3.5}, {3, 4, 5}}}})
    near(c:upsample2d({1, 4}, {mode = "bilinear"}), pg.array{{{{2, 2.375, 3.125, 3.5}}}})
    near(pg._plane.upsample(pg.ones(1, 1, 4, 4), 2, 2, {}), pg.full({1, 1, 2, 2}, 4))
  end)
  it("say what is wrong", function()
    for call, want in pairs{
      [function() pg.max_pool2d(a, 5) end] =
        "bad argument #2 to 'max_pool2d' (k: a window of 5 does not fit an image of 4 with padding)",
      [function() pg.max_pool2d(a, 2, {padding = 2}) end] =
        "bad argument #3 to 'max_pool2d' (padding is 2.0, expected at most half of the window)",
      [function() pg.max_pool2d(a) end] =
        "bad argument #2 to 'max_pool2d' (k: expected an integer of at least 1, or {y, x}, got no value)",
      [function() pg.max_pool2d(a, 2, {count_include_pad = true}) end] =
        "bad argument #3 to 'max_pool2d' (unknown option 'count_include_pad'; there are: stride, padding)",
      [function() pg.upsample2d(a, 0) end] =
        "bad argument #2 to 'upsample2d' (factor: expected an integer of at least 1, or {y, x}, got number 0)",
      [function() pg.upsample2d(a, 2, {mode = "linear"}) end] =
        [[bad argument #3 to 'upsample2d' (mode: expected one of "nearest", "bilinear", got "linear")]],
      [function() pg.upsample2d(a, 2, {align_corners = true}) end] =
        "bad argument #3 to 'upsample2d' (align_corners: only mode = \"bilinear\" has corners to align)",
    } do assert.equal(want, message(call)) end
  end)
end)
