-- SPDX-License-Identifier: MIT
--
-- Pictures as arrays: h x w (grey) or h x w x 3 (red, green, blue), levels 0 (black) to 255.

local pg, core = ...
local args = pg._args

local image = {}

-- The side of the square with d pixels, if there is one.
local function side(d)
  local s = math.floor(math.sqrt(d) + 0.5)
  return s * s == d and s or nil
end

local function check_images(images)
  if type(images) == "table" and #images > 0 and args.is_array(images[1]) then images = pg.stack(images) end
  args.array("collage", 1, "images", images)
  images = images:detach() -- a picture shows values
  local n, h, w = images:dims()
  local wanted = "expected n x h x w or n x h x w x 3, got shape " .. tostring(images.shape)
  if images.ndim == 2 then
    local s = side(h)
    args.fail("collage", 1, "images: " .. wanted .. "; " .. (s
      and ("rows as %d x %d pictures are images:reshape(%d, %d, %d)"):format(s, s, n, s, s)
      or "images:reshape(n, h, w) makes pictures of rows"))
  elseif images.ndim == 4 and images.shape[4] == 1 then
    images = images:reshape(n, h, w)
  elseif images.ndim ~= 3 and (images.ndim ~= 4 or images.shape[4] ~= 3) then
    args.fail("collage", 1, "images: " .. wanted)
  end
  if images.size == 0 then
    args.fail("collage", 1, "images: there are none, the shape is " .. tostring(images.shape))
  end
  return images
end

local function check_range(range)
  if range == nil or range == "all" or range == "each" then return range or "all" end
  local lo, hi
  if type(range) == "table" then lo, hi = range[1], range[2] end
  if type(lo) ~= "number" or type(hi) ~= "number" or lo >= hi or lo ~= lo or hi ~= hi then
    args.fail("collage", 2, 'range: expected "all", "each" or {lo, hi} with lo < hi, got ' .. args.got(range))
  end
  return "fixed", lo, hi
end

local function check_labels(what, labels, count)
  if labels == nil then return end
  if type(labels) ~= "table" or #labels ~= count then
    args.fail("collage", 2, ("%s: expected a list of %d, got %s"):format(what, count,
      type(labels) == "table" and "one of " .. #labels or args.got(labels)))
  end
  local out = {}
  for k, label in ipairs(labels) do
    out[k] = type(label) == "number" and pg._format("%.6g", label) or tostring(label)
  end
  return out
end

-- The largest size up to `size` at which every text is at most `room` wide, and the widest then.
local function fit(canvas, texts, size, room)
  local widest = 0
  for _, text in ipairs(texts) do widest = math.max(widest, (canvas:measure(text, size))) end
  if widest > room then return size * room / widest, room end
  return size, widest
end

-- The picture with its labels left of the rows and above the columns.
local function label(picture, rows, cols, gap, border)
  local height, width = picture:dims()
  local row_step = (height - 2 * border + gap) / (rows and #rows or 1)
  local col_step = (width - 2 * border + gap) / (cols and #cols or 1)
  local ruler <close> = pg._canvas.new("png", 1, 1, 100)
  local row_size, left, top = 0, 0, 0
  if rows then
    row_size = math.max(8, math.min(22, 0.45 * row_step))
    local widest
    row_size, widest = fit(ruler, rows, row_size, math.max(width, 120))
    left = math.ceil(widest + 0.9 * row_size)
  end
  local col_size = 0
  if cols then
    col_size = fit(ruler, cols, math.max(10, math.min(22, 0.3 * col_step)), 0.94 * (col_step - gap))
    top = math.ceil(1.5 * col_size)
  end
  local canvas <close> = pg._canvas.new("png", left + width, top + height, 100)
  canvas:image(picture, left, top, width, height)
  for k, text in ipairs(rows or {}) do
    local middle = top + border + (k - 1) * row_step + (row_step - gap) / 2
    canvas:text(text, row_size, left - 0.6 * row_size - (canvas:measure(text, row_size)), middle + 0.36 * row_size)
  end
  for k, text in ipairs(cols or {}) do
    local middle = left + border + (k - 1) * col_step + (col_step - gap) / 2
    canvas:text(text, col_size, middle - canvas:measure(text, col_size) / 2, top - 0.45 * col_size)
  end
  return canvas:pixels()
end

--- pg.image.collage(images [, opts]) -> array
-- Lays images out in rows and columns, row by row, as one picture that pg.save takes (0..255).
-- The space between images, and places without one, are white. Values outside the range are
-- clamped; NaN is drawn magenta, which makes the picture one of colour. Where all values are one,
-- they are placed as if 0 and 1 were among them.
-- @param images  array, n x h x w or n x h x w x 3, or a list of h x w arrays
-- @param opts.rows  integer: rows of the layout; default so that all images have a place
-- @param opts.cols  integer: columns; default near the square root of n
-- @param opts.gap  integer: white pixels between images, before scaling (1)
-- @param opts.border  integer: white pixels around all, before scaling (0)
-- @param opts.scale  integer: each pixel becomes scale x scale (1)
-- @param opts.invert  boolean: exchange black and white (false)
-- @param opts.range  what is drawn black and white: "all" (default) the least and greatest value of
-- all images, "each" those of each image, or {lo, hi}
-- @param opts.row_labels  list of texts or numbers, written left of the rows
-- @param opts.col_labels  list of texts or numbers, written above the columns
-- @return array  h x w, or h x w x 3 for colour, labels and NaN
-- @error when the images do not fit rows x cols, or one side would pass 32768 pixels
-- @example pg.image.collage(pg.zeros(100, 5, 5)).shape --> (59, 59)
-- @example pg.image.collage(pg.ones(4, 2, 2), {rows = 1, gap = 0, scale = 3}).shape --> (6, 24)
function image.collage(images, opts)
  images = check_images(images)
  local any = args.any
  opts = args.options("collage", 2, opts, {rows = any, cols = any, gap = 1, border = 0, scale = 1, invert = false,
    range = any, row_labels = any, col_labels = any})
  local n = #images
  local rows = opts.rows and args.integer("collage", 2, "rows", opts.rows, 1, 32768)
  local cols = opts.cols and args.integer("collage", 2, "cols", opts.cols, 1, 32768)
  local gap = args.integer("collage", 2, "gap", opts.gap, 0, 32768)
  local border = args.integer("collage", 2, "border", opts.border, 0, 32768)
  local scale = args.integer("collage", 2, "scale", opts.scale, 1, 32768)
  if not cols then cols = rows and -(-n // rows) or math.ceil(math.sqrt(n)) end
  if not rows then rows = -(-n // cols) end
  if rows * cols < n then
    args.fail("collage", 2, ("%d images do not fit %d rows of %d"):format(n, rows, cols))
  end
  local _, h, w = images:dims()
  local height = (rows * h + (rows - 1) * gap + 2 * border) * scale
  local width = (cols * w + (cols - 1) * gap + 2 * border) * scale
  if height > 32768 or width > 32768 then
    args.fail("collage", 2, ("the picture would be %d x %d pixels; a side may have 32768"):format(height, width))
  end
  local row_labels = check_labels("row_labels", opts.row_labels, rows)
  local col_labels = check_labels("col_labels", opts.col_labels, cols)
  local picture = core.collage(images, rows, cols, gap, scale, opts.invert, check_range(opts.range))
  if border > 0 then
    local inner, edge = picture, border * scale
    picture = pg.full(inner.ndim == 3 and {height, width, 3} or {height, width}, 255)
    picture:slice({edge + 1, height - edge}, {edge + 1, width - edge}):assign(inner)
  end
  if row_labels or col_labels then picture = label(picture, row_labels, col_labels, gap * scale, border * scale) end
  return picture
end

--- pg.image.resize(a, height, width [, opts]) -> array
-- A picture, or n of them, in another size. "linear" weighs by the distance to the new pixel's
-- centre, over a wider circle when reducing, so that nothing is skipped; "nearest" copies.
-- @param a  array, h x w, h x w x 3, h x w x 4, n x h x w or n x h x w x c (a last axis of 3 or 4 is colour)
-- @param height  integer
-- @param width  integer
-- @param opts.filter  string: "linear" (default) or "nearest"
-- @return array  of a's kind with the new height and width, f64
-- @example pg.image.resize(pg.eye(2), 4, 4, {filter = "nearest"}):sum() --> 8.0
function image.resize(a, height, width, opts)
  args.array("resize", 1, "a", a)
  a = a:detach()
  opts = args.options("resize", 4, opts, {filter = "linear"})
  args.choice("resize", 4, "filter", opts.filter, {"linear", "nearest"})
  height = args.integer("resize", 2, "height", height, 1, 32768)
  width = args.integer("resize", 3, "width", width, 1, 32768)
  if a.ndim < 2 or a.ndim > 4 then
    args.fail("resize", 1, "a: expected h x w, n x h x w or one of colour, got shape " .. tostring(a.shape))
  end
  if a.size == 0 then args.fail("resize", 1, "a: it is empty, the shape is " .. tostring(a.shape)) end
  local s = a.shape
  local colour = a.ndim == 4 or (a.ndim == 3 and (s[3] == 3 or s[3] == 4))
  local channels = colour and s[a.ndim] or 1
  local many = a.ndim == (colour and 4 or 3)
  local n, h, w = many and s[1] or 1, s[many and 2 or 1], s[many and 3 or 2]
  local out = core.resize(a:reshape(n, h, w, channels), height, width, opts.filter == "nearest")
  local shape = {height, width}
  if many then table.insert(shape, 1, n) end
  if colour then shape[#shape + 1] = channels end
  return out:reshape(shape)
end

--- pg.image.read(path) -> array
-- Reads a PNG, JPEG, PGM or PPM file.
-- @param path  string
-- @return array  h x w, h x w x 3, or with transparency h x w x 4, 0..255
-- @error when the file holds something else
function image.read(path)
  local a = pg.load(path)
  if not args.is_array(a) or a.ndim < 2 or a.ndim > 3 or (a.ndim == 3 and a.shape[3] ~= 3 and a.shape[3] ~= 4) then
    error(path .. ": not an image; it holds " .. args.got(a), 2)
  end
  return a
end

-- ---- in the terminal ------------------------------------------------------------------------

-- The bytes that show a on a terminal `columns` wide, by kitty's protocol (PNG bytes in chunks of
-- at most 4096, the last marked m=0) or as half blocks, two pixels of 24-bit colour a character.
local encode = {}

function encode.kitty(a)
  local text, out = pg._system.base64(core.png(a)), {}
  for i = 1, #text, 4096 do
    out[#out + 1] = ("\27_G%sm=%d;%s\27\\"):format(i == 1 and "a=T,f=100," or "", i + 4096 <= #text and 1 or 0,
      text:sub(i, i + 4095))
  end
  return table.concat(out) .. "\n"
end

-- The nearest of xterm's 256 colours: a cube of 6 x 6 x 6 and 24 greys.
local STEPS = {0, 95, 135, 175, 215, 255}

local function nearest_256(r, g, b)
  local function step(v) return v < 48 and 1 or v < 115 and 2 or (v - 35) // 40 + 1 end
  local i, j, k = step(r), step(g), step(b)
  local grey = math.max(0, math.min(23, ((r + g + b) // 3 - 3) // 10))
  local level = 8 + 10 * grey
  local function off(x, y, z) return (x - r) ^ 2 + (y - g) ^ 2 + (z - b) ^ 2 end
  if off(level, level, level) < off(STEPS[i], STEPS[j], STEPS[k]) then return 232 + grey end
  return 16 + 36 * (i - 1) + 6 * (j - 1) + (k - 1)
end

local function blocks(a, columns, code)
  local h, w = a:dims()
  if w > columns then a = image.resize(a, math.max(1, h * columns // w), columns) end
  local rows, grey, out = a:totable(), a.ndim == 2, {}
  local function color(pixel)
    local c = {}
    for k = 1, 3 do
      local v = grey and pixel or pixel[k]
      c[k] = v ~= v and 0 or math.floor(math.max(0, math.min(255, v)) + 0.5)
    end
    return code(c[1], c[2], c[3])
  end
  for i = 1, #rows, 2 do
    local line = {}
    for j, upper in ipairs(rows[i]) do
      local lower = rows[i + 1] and rows[i + 1][j]
      line[j] = "\27[38;" .. color(upper) .. (lower and ";48;" .. color(lower) or "") .. "m▀"
    end
    out[#out + 1] = table.concat(line) .. "\27[0m\n"
  end
  return table.concat(out)
end

function encode.blocks(a, columns)
  return blocks(a, columns, function(r, g, b) return ("2;%d;%d;%d"):format(r, g, b) end)
end

-- The same in 256 colours.
encode["256"] = function(a, columns)
  return blocks(a, columns, function(r, g, b) return ("5;%d"):format(nearest_256(r, g, b)) end)
end

-- DEC's sixels, six rows of pixels a line of letters, in the 216 colours of the cube; runs are written by their length.
function encode.sixel(a)
  local h, w = a:dims()
  if w > 800 then
    a = image.resize(a, math.max(1, h * 800 // w), 800)
    h, w = a:dims()
  end
  if a.ndim == 2 then a = pg.stack({a, a, a}, 3) end
  a = pg.clip(pg.where(pg.isfinite(a), a, 0), 0, 255)
  local level = pg.round(a / 51)
  local index = (level:slice({}, {}, 1) * 36 + level:slice({}, {}, 2) * 6 + level:slice({}, {}, 3)):totable()
  local out = {("\27Pq\"1;1;%d;%d"):format(w, h)}
  for k = 0, 215 do
    out[#out + 1] = ("#%d;2;%d;%d;%d"):format(k, k // 36 * 20, k // 6 % 6 * 20, k % 6 * 20)
  end
  for top = 1, h, 6 do
    local rows, order = {}, {}
    for d = 0, math.min(5, h - top) do
      local row = index[top + d]
      for j = 1, w do
        local c = math.tointeger(row[j])
        if not rows[c] then rows[c], order[#order + 1] = {}, c end
        rows[c][j] = (rows[c][j] or 0) | 1 << d
      end
    end
    table.sort(order)
    for _, c in ipairs(order) do
      local letters, j = {"#", c}, 1
      while j <= w do
        local bits, from = rows[c][j] or 0, j
        while j <= w and (rows[c][j] or 0) == bits do j = j + 1 end
        local letter = string.char(63 + bits)
        letters[#letters + 1] = j - from > 3 and ("!%d%s"):format(j - from, letter) or letter:rep(j - from)
      end
      out[#out + 1] = table.concat(letters) .. "$"
    end
    out[#out + 1] = "-"
  end
  return table.concat(out) .. "\27\\\n"
end

image._encode = encode

-- What this terminal can show, from what it says of itself in its environment.
local function ability()
  if pg._system.columns(1) == 0 then return "file" end
  local function says(name, value) return (os.getenv(name) or ""):lower():find(value, 1, true) end
  if not os.getenv("TMUX") and (os.getenv("KITTY_WINDOW_ID") or says("TERM", "kitty") or says("TERM", "ghostty")
    or says("TERM_PROGRAM", "wezterm")) then
    return "kitty"
  end
  if says("TERM", "sixel") or says("TERM", "mlterm") or says("TERM", "foot") then return "sixel" end
  if says("COLORTERM", "truecolor") or says("COLORTERM", "24bit") then return "blocks" end
  return says("TERM", "256color") and "256" or "file"
end

--- pg.image.show(a [, opts])
-- Shows a picture in the terminal: with kitty's protocol where the terminal says it has that,
-- else as sixels, else in half-block characters of 24-bit or 256 colours, else saved, with a line that says where.
-- @param a  array, h x w or h x w x 3, 0..255, or a figure of pg.plot
-- @param opts.mode  string: "auto" (default), "kitty", "sixel", "blocks", "256" or "file"
-- @param opts.path  string: where it is saved (.png); default a new file for temporary ones
function image.show(a, opts)
  opts = args.options("show", 2, opts, {mode = "auto", path = args.any})
  local mode = args.choice("show", 2, "mode", opts.mode, {"auto", "kitty", "sixel", "blocks", "256", "file"})
  if type(a) == "table" and a.pixels then a = a:pixels() end
  args.array("show", 1, "a", a)
  if a.ndim < 2 or a.ndim > 3 or (a.ndim == 3 and a.shape[3] ~= 3 and a.shape[3] ~= 4) or a.size == 0 then
    args.fail("show", 1, "a: expected h x w or h x w x 3, got shape " .. tostring(a.shape))
  end
  local outlet = rawget(pg, "_outlet") -- a notebook's
  if mode == "auto" and outlet then return outlet.picture(a) end
  if mode == "auto" then mode = ability() end
  if mode == "file" then
    local path = opts.path
    if not path then
      local name = os.tmpname()
      os.remove(name)
      path = name .. ".png"
    end
    pg._system.write(path, core.png(a))
    io.stdout:write("saved to ", path, "\n")
    return
  end
  io.stdout:write(encode[mode](a, pg._system.columns(1) > 0 and pg._system.columns(1) or 80))
end

-- For pg.plot: values as colours, the range of values, the bytes of a PNG file.
image._color, image._range, image._png = core.color, core.range, core.png

return image
