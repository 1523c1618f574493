-- SPDX-License-Identifier: MIT
-- What the kernel's files say of processes that it killed for memory, from copies of them.
local pg = require "perigee"

describe("the count of processes killed for memory", function()
  local root

  before_each(function()
    root = os.tmpname()
    os.remove(root)
  end)
  after_each(function() os.execute("rm -rf " .. root) end)

  local function write(path, text)
    os.execute("mkdir -p " .. root .. path:match("^(.*)/"))
    local f = assert(io.open(root .. path, "w"))
    f:write(text)
    f:close()
  end

  it("is that of the group in either version", function()
    write("/proc/self/cgroup", "0::/user.slice/job_3\n")
    write("/sys/fs/cgroup/user.slice/job_3/memory.events", "low 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert.equal(2, pg._oom(root))
    write("/proc/self/cgroup", "12:pids:/a\n4:memory:/slurm/uid_0/job_5\n1:name=systemd:/b\n0::/c\n")
    write("/sys/fs/cgroup/memory/slurm/uid_0/job_5/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert.equal(5, pg._oom(root))
    write("/proc/self/cgroup", "4:cpuset,memory:/deep\n")
    write("/sys/fs/cgroup/memory/deep/memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 11\n")
    assert.equal(11, pg._oom(root))
  end)

  it("is looked for at the mount where a container shows it there", function()
    write("/proc/self/cgroup", "0::/docker/abc\n")
    write("/sys/fs/cgroup/memory.events", "oom 1\noom_kill 4\n")
    assert.equal(4, pg._oom(root))
    write("/proc/self/cgroup", "0::/\n")
    assert.equal(4, pg._oom(root))
  end)

  it("is unknown where nothing says it", function()
    assert.is_nil(pg._oom(root))
    write("/proc/self/cgroup", "4:memory:/gone\n0::/gone\n")
    assert.is_nil(pg._oom(root))
    write("/sys/fs/cgroup/memory/gone/memory.oom_control", "oom_kill_disable 0\n") -- an old kernel
    assert.is_nil(pg._oom(root))
    assert.truthy(pg._oom() == nil or math.type(pg._oom()) == "integer")
  end)
end)
