#!/usr/bin/env bash
# Makes what SWIG makes of the headers, and Go's constants for Kafka's error codes.  Run it after changing a .i file, or kq.h's codes.
#
#   generate.sh [--check]     --check: only tells whether the files are as they would be made; exit status 1 if not
#
# SWIG comes from PyPI: its version is part of what it writes.
set -eu
swig_version=4.5.1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${KQ_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kq-tests}
tool=$cache/swig-$swig_version
[ -x "$tool/bin/swig" ] || { python3 -m venv "$tool" && "$tool/bin/pip" install --quiet --disable-pip-version-check "swig==$swig_version"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for interface in ckq/kq_go.i ckqbroker/kq_broker_go.i; do
  folder=$(dirname "$interface") file=$(basename "$interface")
  mkdir -p "$work/internal/$folder"
  (cd "$here/$folder" && "$tool/bin/swig" -go -cgo -intgosize 64 -I.. -I"$root/bindings" -I"$root/include" \
    -outdir "$work/internal/$folder" -o "$work/internal/$folder/${file%.i}_wrap.c" "$file")
done
python3 "$here/codes.py" "$root/include/kq/kq.h" >"$work/codes.go"

status=0
while IFS= read -r made; do
  kept=$here/../$made
  if [ "${1:-}" != --check ]; then
    cp "$work/$made" "$kept"
  elif ! cmp "$work/$made" "$kept"; then
    status=1
  fi
done < <(cd "$work" && find . -type f)
exit $status
