#!/usr/bin/env bash
# python.sh BUILD [ARGUMENTS OF bench.py]: on a release build of meson, in an environment of its own beside it.
set -eu
build=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
shift
venv=$build/bench-python
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
export PATH=$venv/bin:$PATH PKG_CONFIG_PATH=$build/meson-uninstalled LD_LIBRARY_PATH=$build/libkq:$build/broker
python -m pip install --quiet --disable-pip-version-check 'swig>=4.2' 'meson-python>=0.16' meson ninja confluent-kafka aiokafka
python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall "$here/../../../bindings/python"
exec python "$here/python/bench.py" "$build/broker/kqd" "$@"
