-- SPDX-License-Identifier: MIT
local pg = require "perigee"
local message = require("tests.lua.helper").raised

describe("pg.image.collage", function()
  local four = pg.array({{{0, 1}}, {{1, 1}}, {{0, 0}}, {{1, 0}}})

  it("lays images out row by row with white gaps", function()
    assert.same({{0, 255, 255, 255, 255}, {255, 255, 255, 255, 255}, {0, 0, 255, 255, 0}},
      pg.image.collage(four):totable())
    assert.same({{0, 255, 255, 255, 0, 0, 255, 0}}, pg.image.collage(four, {rows = 1, gap = 0}):totable())
    assert.same({{255, 0, 0, 0, 255, 255, 0, 255}},
      pg.image.collage(four, {rows = 1, gap = 0, invert = true}):totable())
  end)

  it("has a border where one is asked for", function()
    local plain = pg.image.collage(four, {scale = 3})
    local h, w = plain:dims()
    for _, labels in ipairs({false, {"a", "b"}}) do
      local a = pg.image.collage(four, {scale = 3, border = 2, row_labels = labels or nil, col_labels = labels or nil})
      local H, W = a:dims()
      if labels then a = a:slice({}, {}, 1) else assert.same({h + 12, w + 12}, {H, W}) end
      assert.same(plain:totable(), a:slice({H - h - 5, H - 6}, {W - w - 5, W - 6}):totable())
      assert.equal(255, a:slice({H - 5, H}, {W - w - 11, W}):min())
      assert.equal(255, a:slice({H - h - 11, H}, {W - 5, W}):min())
    end
    assert.matches("border: expected an integer in 0..32768, got %-1", message(pg.image.collage, four, {border = -1}))
  end)

  it("finds rows and columns", function()
    assert.equal("(59, 59)", tostring(pg.image.collage(pg.zeros(100, 5, 5)).shape))
    assert.equal("(29, 59)", tostring(pg.image.collage(pg.zeros(50, 5, 5), {rows = 5}).shape))
    assert.equal("(59, 29)", tostring(pg.image.collage(pg.zeros(50, 5, 5), {cols = 5}).shape))
    assert.equal("(17, 17)", tostring(pg.image.collage(pg.zeros(7, 5, 5)).shape))
    assert.equal("(10, 15)", tostring(pg.image.collage(pg.zeros(1, 2, 3), {scale = 5}).shape))
  end)

  it("takes ranges of all, of each, or given, and clamps", function()
    local a = pg.array({{{-2, 2}}, {{10, 20}}})
    local function with(range) return pg.image.collage(a, {rows = 2, cols = 1, gap = 0, range = range}):totable() end
    assert.same({{0, 255}, {0, 255}}, with("each"))
    assert.same({{0, 34}, {170, 255}}, with({0, 15}))
    assert.near(255 * 4 / 22, with("all")[1][2], 1e-9)
    assert.same(with("all"), with(nil))
  end)

  it("draws NaN magenta and infinities clamped", function()
    local a = pg.array({{{0, 0 / 0}, {1 / 0, -1 / 0}}})
    assert.same({{{0, 0, 0}, {255, 0, 255}}, {{255, 255, 255}, {0, 0, 0}}}, pg.image.collage(a):totable())
  end)

  it("takes views, f32 and colour", function()
    local a = pg.array({{{1, 2}, {3, 4}}}, "f32")
    assert.same(pg.image.collage(pg.array({{{1, 3}, {2, 4}}})):totable(),
      pg.image.collage(a:transpose(1, 3, 2)):totable())
    assert.equal("(5, 5, 3)", tostring(pg.image.collage(pg.zeros(4, 2, 2, 3)).shape))
    assert.equal("(5, 5)", tostring(pg.image.collage(pg.zeros(4, 2, 2, 1)).shape))
  end)

  it("writes labels outside of the images", function()
    local plain = pg.image.collage(four, {scale = 20})
    local labelled = pg.image.collage(four, {scale = 20, row_labels = {"first", 2}, col_labels = {0.1, "b"}})
    local h, w = plain:dims()
    local H, W, three = labelled:dims()
    assert.equal(3, three)
    assert.is_true(H > h + 10 and W > w + 20)
    assert.same(plain:totable(), labelled:slice({H - h + 1, H}, {W - w + 1, W}, 2):totable())
    local ink = 0
    for _, row in ipairs(labelled:slice({H - h + 1, H}, {1, W - w}, 1):totable()) do
      for _, level in ipairs(row) do ink = ink + (level < 128 and 1 or 0) end
      assert.is_true(row[1] > 250 and row[#row] > 250, "a letter at the edge")
    end
    assert.is_true(ink > 50)
  end)

  it("says what is wrong", function()
    local collage = pg.image.collage
    assert.matches("rows as 5 x 5 pictures are images:reshape%(4, 5, 5%)", message(collage, pg.zeros(4, 25)))
    assert.matches("expected n x h x w or n x h x w x 3, got shape %(4, 5%); images:reshape%(n, h, w%)",
      message(collage, pg.zeros(4, 5)))
    assert.matches("got shape %(4, 5, 5, 2%)", message(collage, pg.zeros(4, 5, 5, 2)))
    assert.matches("there are none, the shape is %(0, 5, 5%)", message(collage, pg.zeros(0, 5, 5)))
    assert.matches("images: expected array, got number 3", message(collage, 3))
    assert.matches("unknown option 'row'; did you mean 'rows'%?", message(collage, four, {row = 1}))
    assert.matches("4 images do not fit 1 rows of 2", message(collage, four, {rows = 1, cols = 2}))
    assert.matches('range: expected "all", "each" or {lo, hi} with lo < hi, got table',
      message(collage, four, {range = {1, 1}}))
    assert.matches("rows: expected an integer in 1..32768, got 0", message(collage, four, {rows = 0}))
    assert.matches("the picture would be 3 x 360448 pixels; a side may have 32768",
      message(collage, pg.zeros(1, 3, 360448)))
    assert.matches("row_labels: expected a list of 2, got one of 1", message(collage, four, {row_labels = {"a"}}))
    assert.matches("col_labels: expected a list of 2, got \"a\"", message(collage, four, {col_labels = "a"}))
  end)

  it("points to the caller", function()
    assert.matches("^tests/lua/image_spec.lua:%d+:", message(function() pg.image.collage(pg.zeros(4, 5)) end))
    assert.matches("^tests/lua/image_spec.lua:%d+:", message(function()
      pg.image.collage(four, {rows = 1, cols = 2})
    end))
  end)
end)

describe("pg.image.resize", function()
  it("copies or weighs", function()
    local row = pg.array({{0, 10, 20, 30}})
    assert.same({{0, 0, 10, 10, 20, 20, 30, 30}}, pg.image.resize(row, 1, 8, {filter = "nearest"}):totable())
    assert.same({{0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30}}, pg.image.resize(row, 1, 8):totable())
  end)

  it("keeps the kind", function()
    local function shape(...) return tostring(pg.image.resize(...).shape) end
    assert.equal("(2, 6)", shape(pg.zeros(4, 5), 2, 6))
    assert.equal("(2, 6, 3)", shape(pg.zeros(4, 5, 3), 2, 6))
    assert.equal("(7, 2, 6)", shape(pg.zeros(7, 4, 5), 2, 6))
    assert.equal("(7, 2, 6, 3)", shape(pg.zeros(7, 4, 5, 3), 2, 6))
    assert.equal("(1, 1)", shape(pg.zeros(64, 64), 1, 1))
  end)

  it("says what is wrong", function()
    local a = pg.zeros(4, 4)
    assert.matches("height: expected an integer in 1..32768, got 0", message(pg.image.resize, a, 0, 3))
    assert.matches('filter: expected one of "linear", "nearest", got "cubic"',
      message(pg.image.resize, a, 3, 3, {filter = "cubic"}))
    assert.matches("a: expected h x w, n x h x w or one of colour, got shape %(4,%)",
      message(pg.image.resize, a[1], 3, 3))
    assert.matches("a: it is empty, the shape is %(0, 4%)", message(pg.image.resize, pg.zeros(0, 4), 3, 3))
  end)
end)

describe("pg.image.show", function()
  it("draws two pixels a character in half blocks", function()
    local a = pg.array({{0, 255}, {300, -1}, {0 / 0, 127.6}})
    assert.equal("\27[38;2;0;0;0;48;2;255;255;255m▀\27[38;2;255;255;255;48;2;0;0;0m▀\27[0m\n" ..
      "\27[38;2;0;0;0m▀\27[38;2;128;128;128m▀\27[0m\n", pg.image._encode.blocks(a, 80))
    local _, lines = pg.image._encode.blocks(pg.zeros(100, 200), 50):gsub("\n", "")
    assert.equal(13, lines)
  end)

  it("sends a PNG in chunks of kitty's protocol", function()
    local bytes = pg.image._encode.kitty(pg.array({{0, 255}}))
    assert.matches("^\27_Ga=T,f=100,m=0;iVBORw0KGgo[%w+/]*=*\27\\\n$", bytes)
    local noise, seed = {}, 1
    for i = 1, 100 do
      noise[i] = {}
      for j = 1, 100 do
        seed = seed * 1103515245 + 12345 & 0x7fffffff
        noise[i][j] = seed >> 16 & 255
      end
    end
    local chunks = 0
    for more, text in pg.image._encode.kitty(pg.array(noise)):gmatch("m=(%d);([^\27]*)\27\\") do
      assert.is_true(#text <= 4096 and (more == "0" or #text == 4096))
      chunks = chunks + 1
    end
    assert.is_true(chunks >= 3)
  end)

  it("saves where the terminal shows nothing, and says where", function()
    local program = os.getenv("PERIGEE")
    if not program then return pending("PERIGEE is not set") end
    local path = os.tmpname() .. ".png"
    local pipe <close> = assert(io.popen(("%s -e \"local pg = require 'perigee' "):format(program)
      .. ("pg.image.show(pg.full({3, 4}, 200), {path = '%s'})\""):format(path)))
    assert.equal("saved to " .. path .. "\n", pipe:read("a"))
    local back = pg.image.read(path)
    assert.equal("(3, 4)", tostring(back.shape))
    assert.equal(200, back(3, 4))
    os.remove(path)
  end)

  it("says what is wrong", function()
    assert.matches("a: expected h x w or h x w x 3, got shape %(4,%)", message(pg.image.show, pg.zeros(4)))
    assert.matches('mode: expected one of "auto", "kitty", "sixel", "blocks", "256", "file", got "ascii"',
      message(pg.image.show, pg.zeros(4, 4), {mode = "ascii"}))
  end)
end)

describe("pg.image.read", function()
  it("refuses what is no image", function()
    local path = os.tmpname() .. ".npy"
    pg.save(path, pg.zeros(4))
    assert.matches(": not an image; it holds array %(4,%) f64", message(pg.image.read, path))
    os.remove(path)
    assert.matches("/nowhere.png: .*No such file or directory", message(pg.image.read, "/nowhere.png"))
  end)
end)
