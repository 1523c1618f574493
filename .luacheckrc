std = "lua54"
max_line_length = 120
include_files = {"lua", "experiments", "tests"}
files["tests/lua"] = {std = "lua54+busted"}
files["tests/cli"] = {std = "lua54+busted"}
