#!/usr/bin/env bash
# test.sh BUILD WORK: installs the Python package into an environment of its own in WORK, on the libkq of the build directory BUILD, and runs its
# tests against an embedded broker and Apache Kafka.  Prints TAP.  KQ_TEST_TIER=full: a million records.
set -u
build=$(realpath "$1")
mkdir -p "$2"
work=$(realpath "$2")/python
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

fail() {
  echo "not ok 1 - python: $1"
  echo "1..1"
  exit 1
}

interpreter=
for each in python3.13 python3.12 python3.11 python3; do
  command -v "$each" >/dev/null && "$each" -c 'import sys, sysconfig, os; sys.exit(not (sys.version_info >= (3, 11) and
    os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))))' 2>/dev/null && interpreter=$each && break
done
[ -n "$interpreter" ] || fail "there is no Python from 3.11 on with its headers (python3-dev)"

venv=$work/venv
mkdir -p "$work"
[ -x "$venv/bin/python" ] || "$interpreter" -m venv "$venv" >&2 || fail "no environment could be made"
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check)
"${pip[@]}" install 'swig>=4.2' 'meson-python>=0.16' meson ninja pytest mypy numpy confluent-kafka >&2 || fail "the tests' packages could not be installed"
"${pip[@]}" install pyarrow >&2 || echo "# no pyarrow here: to_arrow is not tried" >&2

# What is built, without installing it: libkq's and the broker's libraries where they lie.
export PATH=$venv/bin:$PATH PKG_CONFIG_PATH=$build/meson-uninstalled LD_LIBRARY_PATH=$build/libkq:$build/broker
export CC=${CC:-gcc}
"${pip[@]}" install --no-build-isolation --no-deps --force-reinstall "$here" >&2 || fail "the package could not be built"

cd "$work" || exit 1
KQ_TAP=1 KQ_BUILD=$build KQ_ROOT=$root timeout 900 python -m pytest -q -p no:cacheprovider -W ignore::ResourceWarning --tb=short "$here/tests" >"$work/pytest.log" 2>&1
status=$?
grep -aoE '(not ok|ok) [0-9]+ - .*|^1\.\.[0-9]+|^#.*' "$work/pytest.log"
if [ $status -ne 0 ]; then tail -n 60 "$work/pytest.log" | sed 's/^/# /'; fi
exit $status
