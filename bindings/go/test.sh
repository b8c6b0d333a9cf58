#!/usr/bin/env bash
# The tests of the Go binding, as TAP: test.sh BUILD WORK (see test.py).  tests/run.sh --suite bindings calls it.
exec python3 "$(dirname "$0")/test.py" "$@"
