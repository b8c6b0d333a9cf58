#!/usr/bin/env bash
# Builds packages of the tree as it lies here into dist/.  Asks nothing; installs what the build needs.
#
#   packaging/build.sh deb        Debian packages, for the release and the architecture of this machine
#
# Where dist/ is of this very tree, nothing is built.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
. packaging/packages.sh

dist=$root/dist
# One path for whoever builds: it is in what the compiler is told, so ccache knows a source again.
build=${KQ_PACKAGE_BUILD:-${XDG_CACHE_HOME:-$HOME/.cache}/kq-build}

# What goes into packages, by name: all that git knows of or would, but for tests and what has a build of its own.
sources() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
  else
    find . -type f -not -path './build*' -not -path './dist/*' -printf '%P\0'
  fi | grep -zvE '^(tests|\.ci|bindings/(go|java|python/tests))/' | sort -z | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"                     # not one that is deleted and not yet committed
  done
}

tree_hash() { sources | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1; }

# ccache where it is there; debhelper gives the build a home directory of its own.
use_ccache() {
  command -v ccache >/dev/null || return 0
  export CC='ccache gcc' CXX='ccache g++' CCACHE_DIR CCACHE_CONFIGPATH
  CCACHE_DIR=$(ccache --get-config cache_dir)
  CCACHE_CONFIGPATH=$(ccache --show-config | sed -n 's/^(\(.*ccache\.conf\)).*/\1/p' | head -n 1)
  [ -n "$CCACHE_CONFIGPATH" ] || unset CCACHE_CONFIGPATH
}

build_deb() {
  install_packages build packages
  mkdir -p "$dist" "$build"
  exec 9>"$build/lock"
  flock 9
  local hash
  hash=$(tree_hash)
  if [ "$hash" = "$(cat "$dist/deb.tree" 2>/dev/null)" ]; then
    echo "build.sh: dist/ has the packages of this tree"
    return
  fi
  rm -rf "$build/kq"
  mkdir "$build/kq"
  sources | tar -c --null --files-from=- | tar -x -C "$build/kq"
  cp -r packaging/debian "$build/kq/debian"
  use_ccache
  (
    cd "$build/kq"
    [ "$(dpkg-parsechangelog -S Version | sed 's/-[^-]*$//')" = "$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build | head -n 1)" ] ||
      { echo "build.sh: packaging/debian/changelog and meson.build speak of different versions" >&2; exit 1; }
    # The system's own tools, whatever else this user has.
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS:-"nocheck parallel=$(nproc)"}
    dpkg-buildpackage -us -uc -b
  )
  rm -f "$dist"/deb.tree "$dist"/*.deb "$dist"/*.changes "$dist"/*.buildinfo
  mv "$build"/*.deb "$build"/*.changes "$build"/*.buildinfo "$dist"
  rm -rf "$build/kq"
  echo "$hash" >"$dist/deb.tree"
  ls -s --block-size=kB "$dist"/*.deb
}

case ${1:-} in
  deb) build_deb ;;
  -h | --help) sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p}' "$0" ;;
  *) echo "build.sh: what is to be built? deb (see --help)" >&2; exit 2 ;;
esac
