-- SPDX-License-Identifier: MIT
-- What the course's homeworks 2, 3 and 4 share: faces, pictures of them, and trainings that outlive a kill.
--
--   local course = dofile((arg[0]:match("^.*/") or "") .. "lib/course.lua")
local pg = require "perigee"

local course = {every = 5} -- seconds between two checkpoints

local function text_of(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local here, sources = arg[0]:match("^.*/") or "", {text_of(arg[0])}

-- What lib/NAME.lua returns; a training is of its text too.
function course.use(name)
  local path = here .. "lib/" .. name .. ".lua"
  sources[#sources + 1] = text_of(path)
  return dofile(path)
end

-- The options of an experiment with faces, and more.
function course.options(more)
  more.faces = pg.option{type = "file",
    help = "grey images, n x h x w, bytes or 0..1, such as the course's faces_vae.npy or faces23k_48x48.npy.gz"}
  more.transpose = pg.option{type = "flag", help = "the file holds its images column by column, as MATLAB writes them"}
  return more
end

-- Each face of n x h x w in several sizes and places, and all mirrored: 26 a face, beside each other.
local function varied(faces, side)
  local views = {}
  for _, more in ipairs{0, 1, 2, 3} do
    local size = math.floor(side * (1 + more / 24) + 0.5)
    local large = pg.image.resize(faces, size, size)
    local places = size == side and {{1, 1}} or {{1, 1}, {1, size - side + 1}, {size - side + 1, 1},
      {size - side + 1, size - side + 1}}
    for _, at in ipairs(places) do
      local view = large:slice({}, {at[1], at[1] + side - 1}, {at[2], at[2] + side - 1})
      views[#views + 1] = view
      views[#views + 1] = view:flip(3)
    end
  end
  return pg.stack(views, 2) -- n x 26 x side x side
end

-- Faces of side x side pixels in 0..1: train and test, n x side x side f32 each, a sentence on what they are, and the
-- numbers of the images in the file that train and test are of.
-- A tenth is kept for the test, drawn by the seed; of the faces that come as views, all views of a person together.
-- They are those of --faces, else of the course's file where it stands in build/data, else the 100 that
-- vendor/datasets.sh brings, in 26 views each; no more than opts.most.
function course.faces(ex, side, opts)
  local own = side == 48 and "faces23k_48x48.npy.gz" or "faces_vae.npy"
  local given = ex.options.faces or ex:data(own, {optional = true})
  local path = given or ex:data("lfw_subset.npy", {optional = true})
  if not path then ex:skip("no faces; run vendor/datasets.sh, or give --faces FILE") end
  local faces = pg.load(path)
  if not given then faces = faces:slice{1, 100} end -- the other 100 of this set are not faces
  local shape = type(faces) == "userdata" and faces.shape or {}
  local pixels = (shape[2] or 0) * (shape[3] or 1)
  local height = #shape == 2 and math.floor(math.sqrt(pixels) + 0.5) or shape[2]
  if #shape < 2 or #shape > 4 or (shape[4] or 1) ~= 1 or #shape == 2 and height * height ~= pixels or shape[1] < 2 then
    error(path .. ": expected grey images, n x h x w, got " .. (#shape > 0 and tostring(shape) or "something else"), 0)
  end
  faces = faces:reshape(shape[1], height, pixels // height)
  if ex.options.transpose then faces = faces:transpose(1, 3, 2) end
  local most = opts and opts.most
  local n = #faces
  local order = pg.random.new(ex.seed):permutation(n)
  local bytes = faces.dtype == "u8" or faces:max() > 1
  local function read(rows) return faces:take(rows):astype("f32") / (bytes and 255 or 1) end
  local function shaped(images)
    if not given then return varied(images, side):reshape(-1, side, side):astype("f32") end
    local _, h, w = images:dims()
    if h == side and w == side then return images end
    return pg.image.resize(images, side, side):astype("f32")
  end
  local about
  if given then
    n = math.min(n, most or n)
    about = string.format("%d images of %s", n, path:match("[^/]*$"))
  else
    n = math.min(n, most and math.max(2, most // 26) or n)
    about = string.format("%d faces of Labeled Faces in the Wild, each in 26 views (four sizes, corners, mirrored)", n)
  end
  local held = math.max(1, n // 10)
  local train, test = order:slice{held + 1, n}, order:slice{1, held}
  return shaped(read(train)), shaped(read(test)), about, train, test
end

-- Says in the report what --quick leaves out.
function course.left_out(ex, what)
  if ex.quick then ex:note("*With `--quick`: " .. what .. ". `make course` runs it in full.*") end
end

-- Images n x h x w (or n x 1 x h x w) in 0..1 as one picture of `cols` a row.
function course.collage(images, cols, opts)
  local s = images.shape
  local h, w = s[#s - 1], s[#s]
  local o = {cols = cols, range = {0, 1}, scale = math.max(1, 72 // h)}
  for k, v in pairs(opts or {}) do o[k] = v end
  return pg.image.collage(images:reshape(-1, h, w), o)
end

-- Pictures of one size beside each other.
function course.beside(pictures, opts)
  local o = {rows = 1, gap = 12, range = {0, 255}}
  for k, v in pairs(opts or {}) do o[k] = v end
  return pg.image.collage(pg.stack(pictures, 1), o)
end

-- ---- training -----------------------------------------------------------------------------------

local function sorted(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end


-- What a checkpoint must agree with, as text: the script, what it uses, its options, and the numbers among the parts.
local function settings_of(ex, epochs, parts)
  local lines = {"epochs " .. epochs, "seed " .. ex.seed}
  for _, key in ipairs(sorted(ex.options)) do
    local v = ex.options[key]
    lines[#lines + 1] = key .. " " .. (type(v) == "table" and table.concat(v, ",") or tostring(v))
  end
  for _, key in ipairs(sorted(parts)) do
    if type(parts[key]) == "number" then lines[#lines + 1] = string.format("%s %a", key, parts[key]) end
  end
  return table.concat(lines, "\n") .. "\n" .. table.concat(sources)
end

-- Calls epoch(k) for k = 1 .. epochs. It trains, and returns numbers by name, which become curves of the experiment;
-- all of them come back as arrays by name.
-- parts: what the training changes, by name: nets, optimisers, generators; and numbers that say which data it is (the
-- sum of the images). After an epoch, every few seconds, all of it goes to the experiment's folder, and a run that was
-- killed goes on from there to the same bytes, if script, options and numbers are the same.
function course.train(ex, name, epochs, parts, epoch)
  local stem, settings = ex.dir .. "/" .. name, settings_of(ex, epochs, parts)
  local history, first, saved = {}, 1, nil
  local function path(key, k) return string.format("%s.%s.%d.npz", stem, key, k) end
  local function each(f)
    for _, key in ipairs(sorted(parts)) do
      local part = parts[key]
      if type(part) ~= "number" then f(key, part, type(part) == "userdata") end
    end
  end

  local found = io.open(stem .. ".json")
  if found then
    found:close()
    local before = pg.load(stem .. ".json")
    if before.settings == settings then
      each(function(key, part, generator)
        if generator then part:restore(before.generators[key]) else part:load(path(key, before.epoch)) end
      end)
      history, saved = before.history, before.epoch
      first = saved + 1
      print(string.format("%s: goes on after epoch %d of %d", name, saved, epochs))
    end
  end
  local function save(k)
    local generators = {}
    each(function(key, part, generator)
      if generator then generators[key] = part:state() else part:save(path(key, k)) end
    end)
    pg.save(stem .. ".json", {epoch = k, settings = settings, history = history, generators = generators})
    each(function(key, _, generator)
      if saved and saved ~= k and not generator then os.remove(path(key, saved)) end
    end)
    saved = k
  end

  local clock = pg.clock()
  for k, bar in pg.progress(epochs, name) do
    if k >= first then
      for key, value in pairs(epoch(k)) do
        history[key] = history[key] or {}
        history[key][k] = value
      end
      if k == epochs or pg.clock() - clock > course.every then
        save(k)
        clock = pg.clock()
      end
    end
    for _, key in ipairs(sorted(history)) do
      ex:metric(key, history[key][k], k)
      bar[key] = history[key][k]
    end
  end
  local curves = {}
  for key, values in pairs(history) do curves[key] = pg.array(values) end
  return curves
end

return course
