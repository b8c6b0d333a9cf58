#!/usr/bin/env bash
# Prints what groups and transactions cost kqd, beside Apache Kafka 4.2, in one run on this machine.  Never a test.
#
#   tests/bench/groups.sh [--rounds N] [--transactions N]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
. packaging/packages.sh
install_packages build test bench

build=${KQ_TEST_BUILDS:-$root/build-tests}/release
[ -f "$build/build.ninja" ] || meson setup "$build" -Dwerror=true
ninja -C "$build" broker/kqd >/dev/null
exec python3 tests/bench/groups.py --bin "$build" "$@"
