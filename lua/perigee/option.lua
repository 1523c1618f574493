-- SPDX-License-Identifier: MIT
local pg = ...

--- pg.option(spec) -> option
-- An option of an experiment that needs more than a default: a type, choices, a line of help.
-- @param spec.type  string: "file", "flag", "integer", "number", "string", or a list of them: "integers", "numbers",
--   "strings"; taken from the default when left out
-- @param spec.default  the value when the option is not given (default: nil)
-- @param spec.choices  list: the values that may be given
-- @param spec.position  integer: it may be given without its name, as the first (1), second, ... word; a list takes all
-- words that are left
-- @param spec.help  string: what --help says
-- @return option  for the options table of pg.experiment
-- @error an unknown type, or neither a type nor a default
return pg._options.option
