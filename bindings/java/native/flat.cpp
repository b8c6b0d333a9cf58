#include "native/flat.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/eventfd.h>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

namespace {

// Reads records off a buffer that Java has written.
class Reader {
 public:
  Reader(const char* start, const char* end) : start_(start), at_(start), end_(end) {}

  void skip(int32_t count) {
    for (; count > 0; --count) at_ += peek<int32_t>();
  }

  // Headers are pointed to only when all of them are there: the vector moves while it grows.
  void read(kq_record& record, std::vector<kq_header>& headers) {
    const char* const record_start = at_;
    const auto size = take<int32_t>();
    record = KQ_RECORD_INIT;
    record.topic = start_ + take<int32_t>();
    record.partition = take<int32_t>();
    const auto key_len = take<int32_t>();
    const auto value_len = take<int32_t>();
    record.header_count = static_cast<size_t>(take<int32_t>());
    record.timestamp_ms = take<int64_t>();
    record.key = bytes(key_len, record.key_len);
    record.value = bytes(value_len, record.value_len);
    for (size_t i = 0; i < record.header_count; ++i) {
      kq_header& header = headers.emplace_back();
      const auto header_key_len = take<int32_t>();
      const auto header_value_len = take<int32_t>();
      header.key = bytes(header_key_len, header.key_len);
      header.value = bytes(header_value_len, header.value_len);
    }
    at_ = record_start + size;
  }

 private:
  template <class T>
  T peek() const {
    T value;
    std::memcpy(&value, at_, sizeof value);
    return value;
  }

  template <class T>
  T take() {
    const T value = peek<T>();
    at_ += sizeof value;
    return value;
  }

  const char* bytes(int32_t length, size_t& length_out) {
    if (length < 0) return nullptr;
    const char* const start = at_;
    length_out = static_cast<size_t>(length);
    at_ += length;
    return start;
  }

  const char* start_;
  const char* at_;
  const char* end_;
};

class Writer {
 public:
  Writer(void* start, int64_t length, int64_t row_bytes) : at_(static_cast<char*>(start)), rows_(length / row_bytes) {}

  int64_t rows() const { return rows_; }

  template <class T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }

 private:
  char* at_;
  int64_t rows_;
};

constexpr size_t records_at_once = 256;
constexpr int64_t delivery_bytes = 32;
constexpr int64_t record_bytes = 72;
constexpr int64_t window_bytes = INT32_MAX;

kq_error* try_send(kq_producer* producer, const kq_record* records, size_t count, size_t* sent) {
  for (*sent = 0; *sent < count; ++*sent)
    if (kq_error* error = kq_producer_try_send(producer, &records[*sent])) return error;
  return nullptr;
}

int32_t length(const void* bytes, size_t length) { return bytes ? static_cast<int32_t>(length) : -1; }

}  // namespace

kq_error* kq_flat_send(kq_producer* producer, void* buffer, int64_t buffer_len, int64_t first_tag, int32_t skip, int32_t count,
                       int wait, int32_t* out) {
  if (!buffer) return kq_error_new(KQ_ERR_ARGUMENT, KQ_REFUSED, "records come in a direct buffer");
  std::array<kq_record, records_at_once> records;
  std::vector<kq_header> headers;
  const char* const start = static_cast<const char*>(buffer);
  Reader reader(start, start + buffer_len);
  reader.skip(skip);
  int32_t taken = 0;
  while (skip + taken < count) {
    const auto batch = std::min<size_t>(records_at_once, static_cast<size_t>(count - skip - taken));
    headers.clear();
    for (size_t i = 0; i < batch; ++i) {
      reader.read(records[i], headers);
      records[i].tag = static_cast<uint64_t>(first_tag + skip + taken) + i;
    }
    const kq_header* next = headers.data();
    for (size_t i = 0; i < batch; ++i) {
      if (records[i].header_count == 0) continue;
      records[i].headers = next;
      next += records[i].header_count;
    }
    size_t sent = 0;
    kq_error* const error = wait ? kq_producer_send_many(producer, records.data(), batch, &sent)
                                 : try_send(producer, records.data(), batch, &sent);
    taken += static_cast<int32_t>(sent);
    if (!error) continue;
    if (taken == 0) return error;
    kq_error_free(error);
    break;
  }
  *out = taken;
  return nullptr;
}

kq_error* kq_flat_await(kq_producer* producer, int bell, int32_t timeout_ms, kq_batch** out) {
  std::array<pollfd, 2> wanted{pollfd{kq_producer_fd(producer), POLLIN, 0}, pollfd{bell, POLLIN, 0}};
  (void)poll(wanted.data(), wanted.size(), timeout_ms);
  if (wanted[1].revents) {
    uint64_t rings;
    (void)!read(bell, &rings, sizeof rings);
  }
  return kq_producer_poll(producer, 0, out);
}

int32_t kq_flat_deliveries(const kq_batch* batch, int64_t first, void* buffer, int64_t buffer_len) {
  Writer writer(buffer, buffer_len, delivery_bytes);
  const auto count = std::min(writer.rows(), static_cast<int64_t>(kq_batch_count(batch)) - first);
  for (int64_t i = 0; i < count; ++i) {
    const auto row = static_cast<size_t>(first + i);
    const kq_record* const record = kq_batch_at(batch, row);
    if (!record) return static_cast<int32_t>(i);
    writer.put(record->tag);
    writer.put(record->offset);
    writer.put(record->timestamp_ms);
    writer.put(record->partition);
    writer.put<int32_t>(kq_batch_error(batch, row) ? 1 : 0);
  }
  return static_cast<int32_t>(count);
}

int32_t kq_flat_records(const kq_batch* batch, int64_t first, void* buffer, int64_t buffer_len) {
  Writer writer(buffer, buffer_len, record_bytes);
  const auto count = std::min(writer.rows(), static_cast<int64_t>(kq_batch_count(batch)) - first);
  const kq_record* before = first > 0 ? kq_batch_at(batch, static_cast<size_t>(first - 1)) : nullptr;
  for (int64_t i = 0; i < count; ++i) {
    const kq_record* const record = kq_batch_at(batch, static_cast<size_t>(first + i));
    const bool turn = !before || before->partition != record->partition ||
                      (before->topic != record->topic && std::strcmp(before->topic, record->topic) != 0);
    writer.put(record->offset);
    writer.put(record->timestamp_ms);
    writer.put(record->tag);
    writer.put(record->key);
    writer.put(record->value);
    writer.put(record->headers);
    writer.put(length(record->key, record->key_len));
    writer.put(length(record->value, record->value_len));
    writer.put(record->partition);
    writer.put(static_cast<int32_t>(record->header_count));
    writer.put(record->leader_epoch);
    writer.put<int32_t>((turn ? 1 : 0) + 256 * (record->timestamp_type + 1) + 65536 * record->delivery_count);
    before = record;
  }
  return static_cast<int32_t>(count);
}

const char* kq_flat_topic(const kq_batch* batch, int64_t row) {
  const kq_record* const record = kq_batch_at(batch, static_cast<size_t>(row));
  return record ? record->topic : nullptr;
}

int kq_bell_new(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void kq_bell_ring(int bell) {
  const uint64_t ring = 1;
  (void)!write(bell, &ring, sizeof ring);
}

void kq_bell_free(int bell) { close(bell); }

int kq_log_open(const char* path) { return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644); }

void kq_log_close(int descriptor) { close(descriptor); }

kq_window kq_window_at(int64_t address) { return {reinterpret_cast<void*>(address), window_bytes}; }
