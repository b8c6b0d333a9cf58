#!/bin/sh
# The library against the last release's, as abidw has written it down (tests/abi/libkq-VERSION.abi): nothing that a program relies on
# may have gone or moved.  Without a release there is nothing to compare with, and the test is skipped.
#
#   check_abidiff.sh LIBRARY
here=$(dirname "$0")
baseline=$(ls "$here"/libkq-*.abi 2>/dev/null | sort -V | tail -1)
if [ -z "$baseline" ]; then
  echo "no release yet: nothing to compare with"
  exit 77
fi
command -v abidiff >/dev/null || { echo "abidiff is not installed (Debian: abigail-tools)"; exit 77; }
exec abidiff --no-added-syms "$baseline" "$1"
