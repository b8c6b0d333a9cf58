#!/usr/bin/env bash
# Builds the Debian packages, installs them into a clean Debian of this machine's release, does the main job with them, purges them and
# looks for what they left.  Prints TAP.
#
#   packaging/test.sh WORK        WORK: a directory to work in, which is made
#
# It needs root: it works in mount and process namespaces of its own, so that whatever happens no mount and no process stays.  The bare
# Debian, and what apt downloads for it, are kept in ~/.cache/kq-tests.
set -u
[ $# = 1 ] || { echo "test.sh: WORK is missing" >&2; exit 2; }
packaging=$(cd "$(dirname "$0")" && pwd)
work=$(mkdir -p "$1" && cd "$1" && pwd) || exit 2
cache=${KQ_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kq-tests}
root=$work/root
log=$work/log

case_count=0 failed=0
# case_ok NAME COMMAND...: a case of its own; what the command said is shown where it failed.
case_ok() {
  local name=$1 verdict=ok
  shift
  case_count=$((case_count + 1))
  "$@" >"$log" 2>&1 </dev/null || { verdict='not ok'; failed=$((failed + 1)); }
  echo "$verdict $case_count - $name"
  [ "$verdict" = ok ] || tail -n 40 "$log" | sed 's/^/#   /'
  [ "$verdict" = ok ]
}
leave() {
  echo "1..$case_count"
  [ "$failed" = 0 ]
  exit
}

# Outside: build and look at what was built.
if [ -z "${KQ_IN_NAMESPACE:-}" ]; then
  . "$packaging/packages.sh"
  install_packages build packages >&2
  export KQ_IN_NAMESPACE=1
  exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$work"
  exit 1
fi

dist=$(cd "$packaging/.." && pwd)/dist
case_ok "the packages build" "$packaging/build.sh" deb || leave
case_ok "lintian finds no error" lintian --allow-root --fail-on error "$dist"/*.changes
# Compiles all that it carries once more, so not in the quick tier.
[ "${KQ_TEST_TIER:-quick}" != full ] || case_ok "the Python wheel builds, and works by itself" "$packaging/wheel/build.sh"

. "$packaging/test/root.sh"
case_ok "a clean Debian is here" make_root || leave
trap remove_root EXIT
list_files >"$work/before"

. "$packaging/test/cases.sh"
leave
