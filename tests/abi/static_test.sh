#!/bin/sh
# static_test.sh SOURCE BUILD HERE: links main_job.c as `pkg-config --static` says, once with kq's own libraries inside the program and
# once with everything inside it, and runs it.
set -eu
source=$1 build=$2
work=$(mktemp -d "$3/static.XXXXXX")
trap 'rm -rf "$work"' EXIT
export PKG_CONFIG_PATH="$build/meson-uninstalled"

job_linked_with() {
  ${CC:-cc} -I "$source/include" "$source/tests/abi/main_job.c" "$@" -o "$work/job"
  "$work/job" "$work/data" 2>"$work/log" || { cat "$work/log"; exit 1; }
  rm -rf "$work/data"
}

libraries=$(pkg-config --static --libs kq-broker)
# The archives by their names: beside a shared library, -lkq is that one.
job_linked_with $(printf '%s\n' $libraries | sed 's/^-l\(kq.*\)/-l:lib\1.a/')
ldd "$work/job" | grep libkq && exit 1
job_linked_with -static $libraries
ldd "$work/job" >/dev/null 2>&1 && exit 1
exit 0
