#!/bin/sh
# unpack_vectors.sh ARCHIVE DIR HEADER: unpacks the vectors into DIR, and writes HEADER, which says where they are.
set -e
rm -rf "$2"
mkdir -p "$2"
dir=$(cd "$2" && pwd)
tar -I zstd --no-same-owner -xf "$1" -C "$dir"
printf 'constexpr char vectors_built_dir[] = "%s";\n' "$dir" > "$3"
