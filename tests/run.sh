#!/usr/bin/env bash
# Builds kq and runs its tests.  Works in a bare clone on a bare Debian 12: what is missing is installed by apt first.
#
#   tests/run.sh                  the quick tier of every suite, under 15 minutes on two cores
#   tests/run.sh --suite NAME     one suite (may be given again): unit wire sim fuzz abi peer bindings packages
#   tests/run.sh --full           every number that the project promises, and the thread sanitizer
#
# The last line is `N passed, N failed`, counted over single test cases.  A suite that cannot run counts as a failure, so does a test program
# that dies.  Exit status: 0 when nothing failed, 1 when something did, 2 for wrong usage.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 2

all_suites=(unit wire sim fuzz abi peer bindings packages)
suites=()
export KQ_TEST_TIER=quick
while [ $# -gt 0 ]; do
  case $1 in
    --suite) suites+=("${2:-}"); shift 2 || { echo "run.sh: --suite needs a name" >&2; exit 2; } ;;
    --full) export KQ_TEST_TIER=full; shift ;;
    -h | --help) sed -n '2,/^set/{s/^# \{0,1\}//;/^set/!p}' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
[ ${#suites[@]} -gt 0 ] || suites=("${all_suites[@]}")
for suite in "${suites[@]}"; do
  case " ${all_suites[*]} " in
    *" $suite "*) ;;
    *) echo "run.sh: no suite $suite; there are: ${all_suites[*]}" >&2; exit 2 ;;
  esac
done

. packaging/packages.sh
install_packages build test || echo "run.sh: not all packages could be installed; going on with what is here" >&2

builds=${KQ_TEST_BUILDS:-$root/build-tests}        # one build directory for each kind of build, and what the tests download
mkdir -p "$builds"
passed=0
failed=0
failures=()

# Reads the tally's lines, `pass` or `fail NAME`, and adds them up.
count() {
  local verdict name
  while read -r verdict name; do
    if [ "$verdict" = pass ]; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      failures+=("$name")
    fi
  done
}

# The clang of the package list: it compiles for the address sanitizer in half of g++'s time, and libFuzzer is its own.
clang=$(compgen -c clang++ | grep -xE 'clang\+\+(-[0-9]+)?' | sort -V | tail -n 1)

# configure KIND: the build directory of that kind, set up once.  With asan compiling costs more than the tests' own run, so it
# goes without optimisation and with line numbers alone.  g++ builds the release.
configure() {
  local kind=$1 options=(-Dtests=enabled -Ddebug=true -Db_ndebug=false -Dwerror=true)
  case $kind in
    asan) options+=(-Doptimization=0 -Dcpp_args=-g1 -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true) ;;
    tsan) options+=(-Doptimization=1 -Dcpp_args=-g1 -Db_sanitize=thread -Db_lundef=false) ;;
    release) options=(-Dtests=enabled -Dwerror=true) ;;
  esac
  [ -f "$builds/$kind/build.ninja" ] && return
  if [ "$kind" = release ]; then
    meson setup "$builds/$kind" "${options[@]}"
  else
    [ -n "$clang" ] || { echo "$kind: no clang++ here" >&2; return 1; }
    local cache=
    ! command -v ccache >/dev/null || cache='ccache '
    # lld links a test of the whole broker in a fifth of ld's time.
    CC=$cache${clang/++/} CXX=$cache$clang CC_LD=lld CXX_LD=lld meson setup "$builds/$kind" "${options[@]}"
  fi
}

# meson_suite SUITE KIND: builds what the suite's tests need and no more, runs them, counts their cases.
meson_suite() {
  local suite=$1 kind=$2 log=$builds/$2/meson-logs/testlog.json
  configure "$kind" || { count <<<"fail $suite: the build could not be configured"; return; }
  rm -f "$log"
  meson test -C "$builds/$kind" --suite "$suite" --print-errorlogs
  count < <(python3 tests/tally.py meson "$suite" "$log")
}

peer_suite() {
  local output=$builds/peer.tap
  configure release && ninja -C "$builds/release" broker/kqd cli/kq all-examples || { count <<<"fail peer: kqd and kq could not be built"; return; }
  python3 tests/peer/run.py --bin "$builds/release" --work "$builds/peer" 2>&1 | tee "$output"
  count < <(python3 tests/tally.py tap peer "$output")
}

# Each language's own tests, with its own tools, against kqd and Apache Kafka.  A test.sh gets the release build and a directory to work
# in, prints TAP, and installs what it needs.
bindings_suite() {
  configure release && ninja -C "$builds/release" all-installed || { count <<<"fail bindings: libkq and kqd could not be built"; return; }
  local script output
  for script in bindings/*/test.sh; do
    output=$builds/$(basename "$(dirname "$script")").tap
    "$script" "$builds/release" "$builds/bindings" 2>&1 | tee "$output"
    count < <(python3 tests/tally.py tap "bindings" "$output")
  done
}

# The packages are built, and tried in a clean Debian of their own.
packages_suite() {
  local output=$builds/packages.tap
  packaging/test.sh "$builds/packages" 2>&1 | tee "$output"
  count < <(python3 tests/tally.py tap packages "$output")
}

run_suite() {
  case $1 in
    unit | wire | fuzz) meson_suite "$1" asan ;;
    sim) KQ_TEST_TIER=quick meson_suite sim asan ;;
    abi) meson_suite abi release ;;
    peer) peer_suite ;;
    bindings) bindings_suite ;;
    packages) packages_suite ;;
  esac
}

timings=()
timed() {
  local start=$SECONDS
  echo "== $1"
  "${@:2}"
  timings+=("$1 $((SECONDS - start)) s")
}

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}
for suite in "${suites[@]}"; do timed "$suite" run_suite "$suite"; done

# Under sanitizers a seed of the simulator takes fifty times as long, so there the quick tier's seeds have to do.
full_suite() {
  case $1 in
    unit) KQ_TEST_TIER=quick timed "unit (thread sanitizer)" meson_suite unit tsan ;;
    sim)
      timed "sim (every seed)" meson_suite sim release
      KQ_TEST_TIER=quick timed "sim (thread sanitizer)" meson_suite sim tsan
      ;;
  esac
}
[ "$KQ_TEST_TIER" = quick ] || for suite in "${suites[@]}"; do full_suite "$suite"; done

echo "== result"
[ ${#timings[@]} = 0 ] || printf '%s\n' "${timings[@]}"
[ ${#failures[@]} = 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
