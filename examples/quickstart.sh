#!/usr/bin/env bash
# From a bare machine to records in kq and back: installs what the build needs, builds, starts kqd on a fresh directory, streams
# this machine's own package log through it, checks that every line came back, and stops kqd.  Asks nothing; leaves nothing but
# the build directory.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
say() { printf '\n== %s\n' "$*"; }

say "packages"
. packaging/packages.sh
install_packages build
echo "all there"

say "build"
build=${KQ_BUILD:-$root/build}
[ -f "$build/build.ninja" ] || said=$(meson setup "$build") || { echo "$said"; exit 1; }
ninja -C "$build" broker/kqd cli/kq
kqd=$build/broker/kqd
kq=$build/cli/kq

work=$(mktemp -d "${TMPDIR:-/tmp}/kq-quickstart.XXXXXX")
kqd_pid=
clean_up() {
  [ -z "$kqd_pid" ] || kill -KILL "$kqd_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

say "a broker"
"$kqd" --data "$work/data" --listen 127.0.0.1:0 >"$work/said" 2>"$work/kqd.log" &
kqd_pid=$!
until grep -s 'listening on' "$work/said"; do
  kill -0 "$kqd_pid" 2>/dev/null || { cat "$work/kqd.log"; exit 1; }
  sleep 0.01
done
export KQ_BOOTSTRAP_SERVERS=$(sed -n 's/.*listening on //p' "$work/said")
"$kq" cluster -o table

# The package log, its rotated one, or what is installed: lines, with the package in front of a byte 1 where a line is about one.
say "this machine's package log"
log=$work/log
keyed=$work/keyed
if [ -s /var/log/dpkg.log ] && [ -r /var/log/dpkg.log ]; then
  source=/var/log/dpkg.log
  cat "$source" >"$log"
elif source=$(ls /var/log/dpkg.log.1 /var/log/dpkg.log.*.gz 2>/dev/null | head -n 1) && [ -n "$source" ]; then
  zcat -f "$source" >"$log"
else
  source='dpkg-query -W'
  dpkg-query -W >"$log"
fi
if [ "$source" = 'dpkg-query -W' ]; then
  awk -F '\t' '{ print $1 "\001" $0 }' "$log" >"$keyed"
else
  awk '$3 == "status" { print $5 "\001" $0; next }
       $3 ~ /^(install|upgrade|configure|trigproc|remove|purge|disappear)$/ { print $4 "\001" $0; next }
       { print }' "$log" >"$keyed"
fi
echo "$source: $(wc -l <"$log") lines, $(wc -c <"$log") bytes"

say "in"
"$kq" topic create packages --partitions 4 -o table
"$kq" produce packages "$keyed" --key-delimiter '\x01' --codec zstd

say "out"
"$kq" consume packages --from-beginning --until-end >"$work/back"
"$kq" topic describe packages -o table
LC_ALL=C sort "$log" >"$work/wanted"
LC_ALL=C sort "$work/back" >"$work/got"
cmp "$work/wanted" "$work/got" || { echo "not every line came back"; exit 1; }
echo "every line came back: $(wc -l <"$work/back") of $(wc -l <"$log")"

say "the cost of a record"
"$kq" topic create load --partitions 1 -q
"$kq" bench produce load --records 1000000 -o table | head -n 2
"$kq" bench consume load --records 1000000 -o table | head -n 2

say "stop"
kill -TERM "$kqd_pid"
wait "$kqd_pid" || { echo "kqd stopped with status $?"; exit 1; }
kqd_pid=
echo "kqd stopped cleanly"

say "on disk, as Apache Kafka keeps it"
cd "$work/data"
du -ch packages-* | sed 's/^/  /'
du -h packages-0/* | sed 's/^/  /'
