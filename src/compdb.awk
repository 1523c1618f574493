# SPDX-License-Identifier: MIT
# Makes compile_commands.json of the commands that make prints (make compdb). -v directory=...
function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    gsub(/\t/, "\\t", text)
    return "\"" text "\""
}
BEGIN { print "[" }
/^[ \t]*[^ \t#@]+ .* -c [^ ]+\.c -o [^ ]+\.o$/ {
    source = $0
    sub(/^.* -c /, "", source)
    sub(/ -o .*$/, "", source)
    printf "%s  {\"directory\": %s, \"file\": %s, \"command\": %s}", comma, quoted(directory), quoted(source), quoted($0)
    comma = ",\n"
}
END { print "\n]" }
