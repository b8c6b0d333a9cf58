// The floor under any client: what encoding, the check sum and the kernel cost when nothing else is done.
//
//   floor_bench RECORDS SIZE BATCH_BYTES
//
// One process encodes records into one reused buffer, seals the batch with its CRC and writes it to a socket; the other reads
// it, checks the CRC, parses every record and reads every byte.  Prints a line of JSON for each.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "libkq/record/batch_builder.hpp"
#include "libkq/record/crc32c.hpp"
#include "libkq/record/record.hpp"
#include "tests/bench/bench_peer.h"

namespace {

constexpr size_t crc_at = 17, crc_covers_from = 21, length_at = 8, prefix = 12;

void fail(const char* what) {
  perror(what);
  exit(1);
}

uint32_t big_endian32(const std::byte* from) {
  uint32_t value;
  memcpy(&value, from, sizeof value);
  return ntohl(value);
}

void write_all(int socket, kq::Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = write(socket, bytes.data(), bytes.size());
    if (sent <= 0) fail("write");
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

void send_records(int socket, uint64_t records, size_t size, size_t batch_bytes) {
  std::vector<std::byte> block(batch_bytes);
  unsigned char* values = bench_values(size);
  kq::BatchBuilder builder(block);
  const bench_meter start = bench_now();
  for (uint64_t i = 0; i < records; ++i) {
    const unsigned char* value = bench_value_at(values, i, size);
    const kq::Bytes bytes{reinterpret_cast<const std::byte*>(value), size};
    if (builder.append(1'700'000'000'000, {}, bytes)) continue;
    write_all(socket, builder.seal({}));
    builder.clear();
    --i;
  }
  write_all(socket, builder.seal({}));
  bench_report(start, records, records * size, 0, 0);
}

void receive_records(int socket, uint64_t records) {
  std::vector<std::byte> buffer(4 << 20);
  size_t held = 0;
  uint64_t seen = 0, bytes = 0, sum = 0;
  const bench_meter start = bench_now();
  while (seen < records) {
    const ssize_t got = read(socket, buffer.data() + held, buffer.size() - held);
    if (got <= 0) fail("read");
    held += static_cast<size_t>(got);
    size_t at = 0;
    while (held - at >= prefix && held - at >= prefix + big_endian32(buffer.data() + at + length_at)) {
      const kq::Bytes batch{buffer.data() + at, prefix + big_endian32(buffer.data() + at + length_at)};
      if (kq::crc32c(batch.subspan(crc_covers_from)) != big_endian32(batch.data() + crc_at)) fail("crc");
      const std::byte* from = batch.data() + kq::batch_header_size;
      const std::byte* const end = batch.data() + batch.size();
      for (kq::RawRecord record; from != end; ++seen) {
        if (kq::read_record(from, end, record)) fail("record");
        sum += bench_sum(record.key.data(), record.key.size()) + bench_sum(record.value.data(), record.value.size());
        bytes += record.key.size() + record.value.size();
      }
      at += batch.size();
    }
    memmove(buffer.data(), buffer.data() + at, held - at);
    held -= at;
  }
  bench_report(start, seen, bytes, 0, sum);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const uint64_t records = strtoull(argv[1], nullptr, 10);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* where = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, where, length) || listen(listener, 1) || getsockname(listener, where, &length)) fail("listen");
  const pid_t child = fork();
  if (child == 0) {
    const int receiver = accept(listener, nullptr, nullptr);
    receive_records(receiver, records);
    return 0;
  }
  const int sender = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(sender, where, length)) fail("connect");
  send_records(sender, records, strtoull(argv[2], nullptr, 10), strtoull(argv[3], nullptr, 10));
  close(sender);
  int status = 1;
  waitpid(child, &status, 0);
  return status;
}
