/* What every bench program shares, whatever client it measures: the bytes of a record, the sum of what was read, the
 * clocks, the result as JSON. cli/bench.cpp and franz/main.go do the same. */
#ifndef KQ_BENCH_PEER_H
#define KQ_BENCH_PEER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define RANDOM_BYTES (1u << 20)

/* A window that moves over random bytes and carries the record's number: each record has its own. */
static inline unsigned char* bench_values(size_t size) {
  unsigned char* bytes = (unsigned char*)malloc(RANDOM_BYTES + size + sizeof(uint64_t));
  uint64_t state = 88172645463325252ull;
  for (size_t i = 0; i < RANDOM_BYTES + size + sizeof(uint64_t); i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    bytes[i] = (unsigned char)state;
  }
  return bytes;
}

static inline unsigned char* bench_value_at(unsigned char* bytes, uint64_t number, size_t size) {
  unsigned char* value = bytes + number * 61 % RANDOM_BYTES;
  memcpy(value, &number, size < sizeof number ? size : sizeof number);
  return value;
}

/* The sum of all bytes, eight at a time, and of the lengths. */
static inline uint64_t bench_sum(const void* data, size_t length) {
  const unsigned char* bytes = (const unsigned char*)data;
  uint64_t sum = length;
  for (; length >= sizeof(uint64_t); bytes += sizeof(uint64_t), length -= sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    sum += word;
  }
  for (; length > 0; bytes++, length--) sum += *bytes;
  return sum;
}

typedef struct bench_meter {
  double wall, user, system;
} bench_meter;

static inline bench_meter bench_now(void) {
  struct rusage usage;
  struct timespec time;
  getrusage(RUSAGE_SELF, &usage);
  clock_gettime(CLOCK_MONOTONIC, &time);
  bench_meter now = {(double)time.tv_sec + (double)time.tv_nsec / 1e9,
                     (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
                     (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6};
  return now;
}

static inline void bench_report(bench_meter start, uint64_t records, uint64_t bytes, uint64_t failed, uint64_t sum) {
  bench_meter end = bench_now();
  printf(
      "{\"records\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"cpu_user_seconds\":%.6f,\"cpu_system_seconds\":%.6f,\"failed\":%llu,"
      "\"sum\":\"%016llx\"}\n",
      (unsigned long long)records, (unsigned long long)bytes, end.wall - start.wall, end.user - start.user,
      end.system - start.system, (unsigned long long)failed, (unsigned long long)sum);
}

static inline int bench_by_size(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static inline void bench_report_latency(double* microseconds, uint64_t records) {
  qsort(microseconds, records, sizeof *microseconds, bench_by_size);
  printf("{\"records\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n", (unsigned long long)records,
         microseconds[(uint64_t)(0.5 * (double)(records - 1))], microseconds[(uint64_t)(0.99 * (double)(records - 1))],
         microseconds[records - 1]);
}

#endif
