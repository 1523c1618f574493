-- SPDX-License-Identifier: MIT
-- pg._oom([root]) -> how many processes of our control group the kernel has killed for memory, or nil where it does not
-- say. In a container, and under Slurm, that is the limit which a job meets first; it looks like any other SIGKILL.
-- root: where /proc and /sys stand, for tests.
local pg = ...
local system = pg._system

local function read(path)
  local f = io.open(path, "r") -- what the kernel makes up has no size
  if f == nil then return nil end
  local text = f:read(4096)
  f:close()
  return text
end

return function(root)
  root = root or ""
  local groups = read(root .. "/proc/self/cgroup")
  if groups == nil or system.kind(root .. "/sys/fs/cgroup") ~= "folder" then return nil end
  for _, version in ipairs{
    {groups:match("%f[^\n%z]%d+:[^\n:]*%f[%w]memory%f[%W][^\n:]*:([^\n]*)"), "/sys/fs/cgroup/memory",
      "/memory.oom_control"},
    {("\n" .. groups):match("\n0::([^\n]*)"), "/sys/fs/cgroup", "/memory.events"},
  } do
    local group, mount, file = version[1], version[2], version[3]
    -- Within a container the group that is named may be seen at the mount itself.
    for _, folder in ipairs(group and {group == "/" and "" or group, ""} or {}) do
      local count = (read(root .. mount .. folder .. file) or ""):match("oom_kill (%d+)")
      if count then return math.tointeger(tonumber(count)) end
    end
  end
end
