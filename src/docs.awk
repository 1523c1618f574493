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
BEGIN { print "return [====["; }
FNR == 1 { inside = 0; lua = FILENAME ~ /\.lua$/ }
!lua && /^\/\*\*\* / { begin(substr($0, 6)); next }
!lua && inside && /^ \*\// { inside = 0; next }
!lua && inside { sub(/^ \* ?/, ""); line($0); next }
lua && /^--- [a-z_.:]+(\(|$|\{| )/ { begin(substr($0, 5)); next }
lua && inside && /^--( |$)/ { sub(/^-- ?/, ""); line($0); next }
lua { inside = 0 }
END { print "]====]"; }
