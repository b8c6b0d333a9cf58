#!/usr/bin/env bash
# Builds the Java binding and runs its tests, against kqd inside the JVM and once more against Apache Kafka; prints TAP.
#
#   bindings/java/test.sh BUILD WORK      BUILD: a meson build of kq; WORK: a directory of our own
#
# KQ_TEST_TIER=full runs the promised numbers: ten minutes of traffic instead of a million records.  What Maven needs comes from Maven Central, once.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2/java"
work=$(cd "$2/java" && pwd)
. "$root/packaging/packages.sh"
install_packages test >&2

maven=(mvn -B -q -f "$here/pom.xml" "-Dkq.build=$build" "-Dkq.target=$work/target" -Dmaven.test.failure.ignore=true)
rm -rf "$work"/reports-*
{
  "${maven[@]}" package "-Dkq.reports=$work/reports-kqd" &&
    python3 "$here/with_kafka.py" "$work/kafka" "${maven[@]}" surefire:test "-Dtest=!BrokerTest,!ExitTest" "-Dkq.reports=$work/reports-kafka"
} >&2
echo                                                        # Maven ends with colour codes and no end of line
exec python3 "$here/tap.py" kqd="$work/reports-kqd" kafka="$work/reports-kafka"
