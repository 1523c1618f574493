#!/bin/sh
# SPDX-License-Identifier: MIT
# Ctrl-C during net:fit ends the training, keeps the net and lets the script go on.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/fit.lua" <<'LUA'
local pg = require "perigee"
local net = pg.lstm.new{input_size = 1, hidden_size = 32, num_layers = 2, output_size = 1, rng = pg.random.new(0)}
local x, y = pg.lstm.shift(pg.random.new(1):bernoulli(0.5, 26, 25))
local history = net:fit(x, y, {epochs = 1000000000, batch = 26, progress = false, on_epoch = function(s)
  if s.epoch == 20 then
    io.open(arg[1], "w"):close()
  end
end})
local sum = 0
for i = 1, 10000 do sum = sum + i end
print(history.stopped, history.epochs >= 20, history.epochs == history.loss.size, net.params:isfinite():all(), sum)
LUA
passed=0
failed=0
# A background job of a non-interactive shell ignores SIGINT unless it is set back.
(trap - INT; exec env --default-signal=INT "${PERIGEE:-build/perigee}" "$dir/fit.lua" "$dir/ready") >"$dir/out" 2>&1 &
pid=$!
tries=0
while [ ! -e "$dir/ready" ] && [ $tries -lt 200 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
kill -INT $pid
wait $pid
status=$?
if [ $status = 0 ] && [ "$(cat "$dir/out")" = "interrupted	true	true	true	50005000" ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "status $status, output:"
    cat "$dir/out"
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
