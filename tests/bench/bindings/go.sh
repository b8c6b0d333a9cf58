#!/usr/bin/env bash
# go.sh BUILD [ARGUMENTS OF bench.py]: on a release build of meson, with the Go of the tests.
exec python3 "$(dirname "$0")/go/bench.py" "$@"
