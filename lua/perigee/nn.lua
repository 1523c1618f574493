-- SPDX-License-Identifier: MIT
--
-- Nets: layers, losses, and nn.model, which makes a net of a definition.

local pg = ...
local args, M = pg._args, pg._nn_model
local ipairs, pairs = ipairs, pairs

local nn = {init = pg._nn_init, fit = pg._nn_fit}
for _, module in ipairs({pg._nn_layers, pg._nn_losses}) do
  for name, f in pairs(module) do nn[name] = f end
end
for _, name in ipairs({"relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus", "softmax",
  "log_softmax"}) do nn[name] = pg[name] end

--- pg.nn.model(definition, rng [, opts]) -> net
-- Makes a net: its parameters in one flat array net.params, with views by name, and its gradient in another,
-- net.grads. The net and each part of it (net.encoder, net.blocks[2]) can be called, net(x [, ctx]), where they are
-- layers; ctx = {train = true, rng = rng} is what dropout and batch_norm need to know, and without it a net only
-- computes. pg.value_and_grad(f)(net, ...) gives loss and net.grads, and of a part the part's.
-- @param definition  a layer, or a table of layers and tables by name
-- @param rng  generator: what the parameters begin with
-- @param opts.dtype  string: "f32" (default) or "f64"
-- @return net  net.params net.grads net.buffers net.nparams net:names() net:named() net:copy() net:save() net:load()
-- @example pg.nn.model(pg.nn.linear(3, 2), pg.random.new(0)).nparams --> 8
function nn.model(definition, rng, opts) return M.new("model", definition, rng, opts) end

--- pg.nn.load(definition, path [, opts]) -> net
-- A net of a definition with the parameters of a file; see net:load.
-- @param definition  as for nn.model
-- @param path  string
-- @param opts.dtype  string: "f32" (default) or "f64"
function nn.load(definition, path, opts)
  return M.new("load", definition, pg.random.new(0), args.options("load", 3, opts, {dtype = "f32"})):load(path)
end

pg._model.register("net", {example = function(rng) return nn.model(nn.linear(1, 1), rng) end})

return nn
