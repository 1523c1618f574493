-- SPDX-License-Identifier: MIT
-- pg._jupyter_wire.open(connection) -> wire: messages of Jupyter's protocol 5.3 over five sockets. A message is:
-- identities, "<IDS|MSG>", signature, header, parent's header, metadata, content; each of the last four JSON text.
local pg = ...
local core = require "perigee.notebook"
local json = pg._json

local DELIMITER = "<IDS|MSG>"

local wire = {}
wire.__index = wire

local CHANNELS = {"shell", "control", "stdin"}

function wire.open(connection)
  local function address(name)
    local port = connection[name .. "_port"]
    return connection.transport == "ipc" and ("ipc://%s-%d"):format(connection.ip, port)
      or ("%s://%s:%d"):format(connection.transport, connection.ip, port)
  end
  local self = setmetatable({key = connection.key or "", session = core.name(), count = 0, hub = core.hub()}, wire)
  for _, name in ipairs(CHANNELS) do self[name] = core.bind(self.hub, "router", address(name)) end
  self.iopub = core.bind(self.hub, "pub", address("iopub"))
  core.heart(self.hub, address("hb"))
  return self
end

local function now()
  local t = pg._system.now()
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(t)) .. (".%06dZ"):format(math.floor(t % 1 * 1e6))
end

function wire:_sign(...)
  return self.key == "" and "" or core.sign(self.key, ...)
end

-- Sends on a channel; parent is the message that this one answers, or nil.
function wire:send(channel, kind, content, parent, metadata)
  self.count = self.count + 1
  local header = json.encode{msg_id = ("%s_%d"):format(self.session, self.count), session = self.session,
    username = "perigee", date = now(), msg_type = kind, version = "5.3"}
  local before = parent and parent.header_text or "{}"
  local about, body = json.encode(metadata or {}), json.encode(content)
  local parts = {}
  if channel == "iopub" then
    parts[1] = ("kernel.%s.%s"):format(self.session, kind)
  else
    table.move(parent.identities, 1, #parent.identities, 1, parts)
  end
  for _, part in ipairs{DELIMITER, self:_sign(header, before, about, body), header, before, about, body} do
    parts[#parts + 1] = part
  end
  core.send(self[channel], parts)
end

-- The next message of a channel, nil where there is none: {kind, header, header_text, content, identities, channel}.
-- One that is not signed with our key, or has another form, is dropped.
function wire:receive(channel)
  while true do
    local parts = core.receive(self[channel])
    if parts == nil then return nil end
    local at
    for i, part in ipairs(parts) do
      if part == DELIMITER then
        at = i
        break
      end
    end
    if at and #parts >= at + 5 then
      local header, parent, metadata, content = table.unpack(parts, at + 2, at + 5)
      local mine = self:_sign(header, parent, metadata, content)
      local ok, head, body = pcall(function() return json.decode(header), json.decode(content) end)
      if core.same(mine, parts[at + 1]) and ok and type(head) == "table" and type(body) == "table" then
        return {kind = tostring(head.msg_type), header = head, header_text = header, content = body, channel = channel,
          identities = table.move(parts, 1, at - 1, 1, {})}
      end
    end
  end
end

-- The channel that has a message, nil after so many seconds or a signal.
function wire:wait(seconds, ...)
  local names = {...}
  local sockets = {}
  for i, name in ipairs(names) do sockets[i] = self[name] end
  return names[core.poll(sockets, seconds)]
end

-- Before the process ends: what was sent still goes out.
function wire:close()
  for _, name in ipairs(CHANNELS) do core.close(self[name]) end
  core.close(self.iopub)
  core.close(self.hub)
end

return wire
