# SPDX-License-Identifier: MIT
# Gathers the doc blocks of C and Lua sources into one Lua file, which the help is read from.
#     C:   /*** signature        Lua:   --- signature
#           * text                      -- text
#           */
# A block is written as a line "\1signature" and its lines of text.
function begin(signature) {
    printf "\001%s\n", signature
    inside = 1
}
function line(text) {
    gsub(/\]====\]/, "]===]", text)
    print text
}
# A row of kernel/ops.h, X(ID, "name", "operator", "arguments", LOOPS, RESULT, SLOPE, "sentence", "further"), as a block.
function row(text,    part, n, words, w, i) {
    gsub(/" +"/, "", text)
    n = split(text, part, "\"")
    w = split(part[6], words, /[][, ]+/)
    if (group == "PLACE") {
        begin("pg." part[2] "(" part[6] ") -> integer | array")
    } else if (group == "SCAN" || group == "SHARE") {
        begin("pg." part[2] "(" part[6] ") -> array")
    } else if (group == "VIEW") {
        begin("pg." part[2] "(" part[6] ") -> " (text ~ /a number where/ ? "view or number" : "view"))
    } else if (group == "REDUCTION") {
        begin("pg." part[2] "(" part[6] ") -> " (text ~ /MASK/ ? "boolean" : "number") " | array")
    } else {
        begin("pg." part[2] "(" part[6] " [, out]) -> array")
    }
    line(part[8])
    # Of a sentence that is long the further lines begin with its end.
    n = split(part[10], words_of, /\\n/)
    if (n > 0 && words_of[1] !~ /^@/ && words_of[1] != "") line(words_of[1])
    if (group == "PLACE") {
        line("@param a  array")
        line("@param axis  integer; absent: the place in a:reshape(-1)")
        line("@param opts.keepdims  boolean: keep the axis, with extent 1")
        line("@param opts.out  f64 array of the result's shape")
        line("@return an integer without an axis left, else an f64 array")
    } else if (group == "SCAN") {
        line("@param a  array")
        line("@param axis  integer; absent: along a:reshape(-1)")
        line("@param opts.out  array of the result's shape and dtype")
    } else if (group == "SHARE") {
        line("@param a  array")
        line("@param axis  integer or table of integers, over which softmax sums to 1; absent: all")
        line("@param opts.out  array of the shape and dtype of a")
    } else if (group == "VIEW") {
        # as written in its row
    } else if (group == "REDUCTION") {
        line("@param a  array")
        line("@param axis  integer or table of integers, from 1, negative from the end; absent: all axes")
        line("@param opts.keepdims  boolean: keep the axes, with extent 1")
        line("@param opts.out  array of the result's shape and dtype")
        line("@return " (text ~ /MASK/ ? "true or false without an axis left, else a bool array" : "a number without an axis left, else an array"))
    } else {
        for (i = 1; i <= w; i++) if (words[i] != "") line("@param " words[i] "  array or number")
        line("@param out  array of the result's shape and dtype, written and returned")
        if (text ~ /, MASK,/) line("@return a bool array, which prints 0 and 1; a number for numbers")
    }
    for (i = 1; i <= n; i++) if (words_of[i] ~ /^@/) line(words_of[i])
    inside = 0
}
BEGIN { print "return [====["; }
/^#define PERI_EACH_/ { group = $2; sub(/^PERI_EACH_/, "", group); sub(/\(.*/, "", group) }
FILENAME ~ /ops\.h$/ && /^ *X\([A-Z0-9_]+, "/ { pending = "" ; open = 1 }
FILENAME ~ /ops\.h$/ && open { sub(/^ +/, ""); sub(/ *\\$/, ""); pending = pending " " $0; if (/"\)$/) { row(pending); open = 0 } next }
FNR == 1 { inside = 0; lua = FILENAME ~ /\.lua$/ }
!lua && /^\/\*\*\* / { begin(substr($0, 6)); next }
!lua && inside && /^ \*\// { inside = 0; next }
!lua && inside { sub(/^ \* ?/, ""); line($0); next }
lua && /^--- [a-z][a-z0-9_.:]*(\(|$|\{| )/ { begin(substr($0, 5)); next }
lua && inside && /^--( |$)/ { sub(/^-- ?/, ""); line($0); next }
lua { inside = 0 }
END { print "]====]"; }
