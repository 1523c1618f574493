-- For `luarocks make` in the sources' folder. What the build needs beside LuaRocks is in vendor/packages.txt
-- (vendor/install.sh run installs it on Debian).
rockspec_format = "3.0"
package = "perigee"
version = "0.1.0-1"
source = {
  url = "file://perigee-0.1.0.tar.gz", -- as `make dist` writes it
  dir = "perigee-0.1.0",
}
description = {
  summary = "Arrays, gradients, nets and models for numerical experiments in plain Lua",
  license = "MIT",
}
dependencies = {"lua >= 5.4, < 5.5"}
build = {
  type = "make",
  build_target = "all",
  install_target = "install-rock",
  install_variables = {LIBDIR = "$(LIBDIR)", BINDIR = "$(BINDIR)"},
}
