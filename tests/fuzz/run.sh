#!/bin/sh
# run.sh TARGET: a number of runs that KQ_TEST_TIER (quick, full) chooses, from a fixed seed, starting at nothing.
case ${KQ_TEST_TIER:-quick} in
  full) runs=20000000 ;;
  *) runs=300000 ;;
esac
# A crash is no 77, which would mean a test that was left out.
exec "$1" -error_exitcode=1 -runs=$runs -seed=1 -max_len=1024 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1
