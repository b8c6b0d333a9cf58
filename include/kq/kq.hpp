// kq.hpp: kq.h for C++20.  Header only: objects that free themselves, views, ranges.
//
//   kq::Config config{{"bootstrap.servers", "localhost:9092"}};
//   kq::Producer producer(config);
//   producer.send({.topic = "greetings", .key = "k", .value = "hello"});
//   producer.close();
//
//   kq::Consumer consumer(config);
//   consumer.assign({{"greetings", 0, KQ_EARLIEST}});
//   for (const kq::Record record : consumer.poll(1s)) std::cout << record.value() << '\n';
//
// What can fail throws kq::Exception, or, given a kq::Error& as its last argument, puts the error there.  Everything else (meaning,
// limits, threads) is as kq.h says.  Classes move and do not copy; one that was moved from may be destroyed or assigned to, no more.
#pragma once

#include <chrono>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kq/kq.h>

namespace kq {
inline namespace abi_1 {

using Milliseconds = std::chrono::milliseconds;
inline constexpr Milliseconds forever{-1};

namespace detail {
template <auto free>
struct Free {
  void operator()(auto* what) const { free(what); }
};
template <class T, auto free>
using Owned = std::unique_ptr<T, Free<free>>;

inline int32_t ms(Milliseconds timeout) {
  return static_cast<int32_t>(timeout.count() < 0 ? -1 : timeout.count() < INT32_MAX ? timeout.count() : INT32_MAX);
}
inline std::string_view view(const void* at, size_t size) { return {static_cast<const char*>(at), at ? size : 0}; }
}  // namespace detail

// ---- errors -------------------------------------------------------------------------------------------------------------------

// False where nothing is wrong.
class Error {
 public:
  Error() = default;
  explicit Error(kq_error* owned) : error_(owned) {}
  static Error copy(const kq_error* borrowed) { return Error(kq_error_copy(borrowed)); }

  explicit operator bool() const { return error_ != nullptr; }
  int32_t code() const { return kq_error_code(error_.get()); }
  kq_verdict verdict() const { return kq_error_verdict(error_.get()); }
  const char* name() const { return kq_error_name(error_.get()); }
  const char* message() const { return kq_error_message(error_.get()); }
  const char* topic() const { return kq_error_topic(error_.get()); }
  int32_t partition() const { return kq_error_partition(error_.get()); }
  const kq_error* get() const { return error_.get(); }

 private:
  detail::Owned<kq_error, kq_error_free> error_;
};

class Exception : public std::exception {
 public:
  explicit Exception(Error error) : error_(std::make_shared<Error>(std::move(error))) {}
  const char* what() const noexcept override { return error_->message(); }
  const Error& error() const { return *error_; }
  int32_t code() const { return error_->code(); }
  kq_verdict verdict() const { return error_->verdict(); }

 private:
  std::shared_ptr<const Error> error_;             // exceptions are copied
};

inline void check(kq_error* error) {
  if (error) throw Exception(Error(error));
}

// ---- configuration ------------------------------------------------------------------------------------------------------------

class Config {
 public:
  Config() { check(make(config_)); }
  Config(std::initializer_list<std::pair<const char*, const char*>> settings) : Config() {
    for (const auto& [key, value] : settings) set(key, value);
  }

  Config& set(const char* key, const char* value) { return check(kq_config_set(config_.get(), key, value)), *this; }
  Config& set(const std::string& key, const std::string& value) { return set(key.c_str(), value.c_str()); }
  Config& load(const char* path) { return check(kq_config_load(config_.get(), path)), *this; }
  const char* get(const char* key) const { return kq_config_get(config_.get(), key); }
  const kq_config* get() const { return config_.get(); }

 private:
  using Owned = detail::Owned<kq_config, kq_config_free>;
  static kq_error* make(Owned& into) {
    kq_config* config = nullptr;
    kq_error* error = kq_config_new(&config);
    into.reset(config);
    return error;
  }
  Owned config_;
};

// ---- records ------------------------------------------------------------------------------------------------------------------

struct Header {
  std::string_view key{};
  std::optional<std::string_view> value{};
};

// A record to send: views that live for the call.  No key and no value are not the same as empty ones.
struct Message {
  const char* topic = nullptr;
  std::optional<std::string_view> key{};
  std::optional<std::string_view> value{};
  int32_t partition = -1;
  int64_t timestamp_ms = -1;
  std::span<const Header> headers{};
  uint64_t tag = 0;
};

// A received or delivered record: a view, which lives as long as its batch.
class Record {
 public:
  explicit Record(const kq_record* record) : record_(record) {}

  std::string_view topic() const { return record_->topic; }
  int32_t partition() const { return record_->partition; }
  int64_t offset() const { return record_->offset; }
  int64_t timestamp_ms() const { return record_->timestamp_ms; }
  bool has_key() const { return record_->key != nullptr; }
  bool has_value() const { return record_->value != nullptr; }
  std::string_view key() const { return detail::view(record_->key, record_->key_len); }           // empty where there is none
  std::string_view value() const { return detail::view(record_->value, record_->value_len); }     // likewise
  std::span<const std::byte> value_bytes() const { return {static_cast<const std::byte*>(record_->value), record_->value_len}; }
  std::span<const kq_header> headers() const { return {record_->headers, record_->header_count}; }
  std::optional<std::string_view> header(std::string_view key) const {                             // the last one of that name
    for (size_t i = record_->header_count; i-- > 0;) {
      const kq_header& header = record_->headers[i];
      if (detail::view(header.key, header.key_len) == key && header.value) return detail::view(header.value, header.value_len);
    }
    return std::nullopt;
  }
  uint64_t tag() const { return record_->tag; }
  int delivery_count() const { return record_->delivery_count; }                                   // share groups: 1 at first; else 0
  const kq_record& raw() const { return *record_; }

 private:
  const kq_record* record_;
};

// What poll gives; false (and an empty range) where there was nothing.
class Batch {
 public:
  class Iterator {
   public:
    using value_type = Record;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    Iterator(const kq_batch* batch, size_t index) : batch_(batch), index_(index) {}
    Record operator*() const { return Record(kq_batch_at(batch_, index_)); }
    Iterator& operator++() { return ++index_, *this; }
    Iterator operator++(int) { return {batch_, index_++}; }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const kq_batch* batch_ = nullptr;
    size_t index_ = 0;
  };

  Batch() = default;
  explicit Batch(kq_batch* owned) : batch_(owned) {}

  explicit operator bool() const { return batch_ != nullptr; }
  kq_batch_kind kind() const { return kq_batch_kind_of(batch_.get()); }
  kq_event event() const { return kq_batch_event(batch_.get()); }
  bool is_end_of_partition() const { return event() == KQ_END_OF_PARTITION; }
  size_t size() const { return kq_batch_count(batch_.get()); }
  bool empty() const { return size() == 0; }
  Record operator[](size_t index) const { return Record(kq_batch_at(batch_.get(), index)); }
  const kq_error* error(size_t index) const { return kq_batch_error(batch_.get(), index); }        // of a delivery or commit; null: it went well
  Iterator begin() const { return {batch_.get(), 0}; }
  Iterator end() const { return {batch_.get(), size()}; }
  kq_batch* get() const { return batch_.get(); }

 private:
  detail::Owned<kq_batch, kq_batch_free> batch_;
};

// ---- loops --------------------------------------------------------------------------------------------------------------------

class Loop {
 public:
  explicit Loop(kq_loop_kind kind) {
    kq_loop* loop = nullptr;
    check(kq_loop_new(kind, &loop));
    loop_.reset(loop);
  }
  int fd() const { return kq_loop_fd(loop_.get()); }
  int next_deadline_ms() const { return kq_loop_next_deadline_ms(loop_.get()); }
  void step() { check(kq_loop_step(loop_.get())); }
  kq_loop* get() const { return loop_.get(); }

 private:
  detail::Owned<kq_loop, kq_loop_free> loop_;
};

namespace detail {
template <class T>
T* make(kq_error* (*new_on)(kq_loop*, const kq_config*, T**), const Config& config, const Loop* loop) {
  T* made = nullptr;
  check(new_on(loop ? loop->get() : nullptr, config.get(), &made));
  return made;
}
}  // namespace detail

// ---- producer -----------------------------------------------------------------------------------------------------------------

struct TopicPartition;
class GroupMetadata;
class Rows;

class Producer {
 public:
  explicit Producer(const Config& config) : producer_(detail::make(kq_producer_new_on, config, nullptr)) {}
  Producer(const Loop& loop, const Config& config) : producer_(detail::make(kq_producer_new_on, config, &loop)) {}

  void send(const Message& message) { check(with(message, kq_producer_send)); }
  void send(const Message& message, Error& error) { error = Error(with(message, kq_producer_send)); }
  // False: there is no room, or the topic is not known yet.
  bool try_send(const Message& message) {
    Error error(with(message, kq_producer_try_send));
    if (error && error.verdict() != KQ_RETRY) throw Exception(std::move(error));
    return !error;
  }
  Batch poll(Milliseconds timeout) {
    Error error;
    Batch batch = poll(timeout, error);
    if (error) throw Exception(std::move(error));
    return batch;
  }
  Batch poll(Milliseconds timeout, Error& error) {
    kq_batch* batch = nullptr;
    error = Error(kq_producer_poll(producer_.get(), detail::ms(timeout), &batch));
    return Batch(batch);
  }
  void flush(Milliseconds timeout = forever) { check(kq_producer_flush(producer_.get(), detail::ms(timeout))); }
  void close(Milliseconds timeout = forever) { check(kq_producer_close(producer_.get(), detail::ms(timeout))); }
  size_t pending() const { return kq_producer_pending(producer_.get()); }
  int32_t partition_count(const char* topic, Milliseconds timeout = forever) {
    int32_t count = 0;
    check(kq_producer_partition_count(producer_.get(), topic, detail::ms(timeout), &count));
    return count;
  }
  int fd() const { return kq_producer_fd(producer_.get()); }
  void purge() { check(kq_producer_purge(producer_.get())); }
  Rows statistics();
  kq_producer* get() const { return producer_.get(); }

  // Transactions: the verdict of what is thrown says how to go on (kq.h).
  void begin(Milliseconds timeout = forever) { check(kq_producer_begin(producer_.get(), detail::ms(timeout))); }
  void send_offsets(std::span<const TopicPartition> offsets, const GroupMetadata& group, Milliseconds timeout = forever);
  void commit(Milliseconds timeout = forever) { check(kq_producer_commit(producer_.get(), detail::ms(timeout))); }
  void abort(Milliseconds timeout = forever) { check(kq_producer_abort(producer_.get(), detail::ms(timeout))); }

 private:
  kq_error* with(const Message& message, kq_error* (*send)(kq_producer*, const kq_record*)) {
    kq_record record = KQ_RECORD_INIT;
    record.topic = message.topic;
    record.partition = message.partition;
    record.timestamp_ms = message.timestamp_ms;
    record.tag = message.tag;
    put(message.key, record.key, record.key_len);
    put(message.value, record.value, record.value_len);
    std::vector<kq_header> headers;
    for (const Header& header : message.headers) {
      kq_header& to = headers.emplace_back(kq_header{header.key.empty() ? "" : header.key.data(), header.key.size(), nullptr, 0});
      put(header.value, to.value, to.value_len);
    }
    record.headers = headers.data();
    record.header_count = headers.size();
    return send(producer_.get(), &record);
  }
  static void put(const std::optional<std::string_view>& from, const void*& at, size_t& size) {
    if (!from) return;
    at = from->data() ? from->data() : "";
    size = from->size();
  }

  detail::Owned<kq_producer, kq_producer_free> producer_;
};

// ---- consumer -----------------------------------------------------------------------------------------------------------------

struct TopicPartition {
  const char* topic = nullptr;
  int32_t partition = 0;
  int64_t offset = KQ_DEFAULT;                     // or one of kq_offset
  int32_t leader_epoch = -1;                       // of the record before it; -1: not known
  const char* metadata = nullptr;                  // to commit: a note beside the offset
};

namespace detail {
inline std::vector<kq_topic_partition> listed(std::span<const TopicPartition> partitions) {
  std::vector<kq_topic_partition> list;
  for (const TopicPartition& each : partitions) {
    kq_topic_partition one = KQ_TOPIC_PARTITION_INIT;
    one.topic = each.topic;
    one.partition = each.partition;
    one.offset = each.offset;
    one.leader_epoch = each.leader_epoch;
    one.metadata = each.metadata;
    list.push_back(one);
  }
  return list;
}
}  // namespace detail

class Rows;

// Who a consumer is in its group at the moment.
class GroupMetadata {
 public:
  explicit GroupMetadata(kq_group_metadata* owned) : metadata_(owned) {}

  const char* group_id() const { return kq_group_metadata_group_id(metadata_.get()); }
  const char* member_id() const { return kq_group_metadata_member_id(metadata_.get()); }
  int32_t generation() const { return kq_group_metadata_generation(metadata_.get()); }
  const char* group_instance_id() const { return kq_group_metadata_group_instance_id(metadata_.get()); }
  const kq_group_metadata* get() const { return metadata_.get(); }

 private:
  detail::Owned<kq_group_metadata, kq_group_metadata_free> metadata_;
};

inline void Producer::send_offsets(std::span<const TopicPartition> offsets, const GroupMetadata& group, Milliseconds timeout) {
  const auto list = detail::listed(offsets);
  check(kq_producer_send_offsets(producer_.get(), list.data(), list.size(), group.get(), detail::ms(timeout)));
}

class Consumer {
 public:
  explicit Consumer(const Config& config) : consumer_(detail::make(kq_consumer_new_on, config, nullptr)) {}
  Consumer(const Loop& loop, const Config& config) : consumer_(detail::make(kq_consumer_new_on, config, &loop)) {}

  void assign(std::span<const TopicPartition> partitions) {
    const auto list = detail::listed(partitions);
    check(kq_consumer_assign(consumer_.get(), list.data(), list.size()));
  }
  void assign(std::initializer_list<TopicPartition> partitions) { assign(std::span(partitions.begin(), partitions.size())); }
  void seek(const char* topic, int32_t partition, int64_t offset) { check(kq_consumer_seek(consumer_.get(), topic, partition, offset)); }
  void pause(const char* topic, int32_t partition) { check(kq_consumer_pause(consumer_.get(), topic, partition)); }
  void resume(const char* topic, int32_t partition) { check(kq_consumer_resume(consumer_.get(), topic, partition)); }
  Batch poll(Milliseconds timeout) {
    Error error;
    Batch batch = poll(timeout, error);
    if (error) throw Exception(std::move(error));
    return batch;
  }
  Batch poll(Milliseconds timeout, Error& error) {
    kq_batch* batch = nullptr;
    error = Error(kq_consumer_poll(consumer_.get(), detail::ms(timeout), &batch));
    return Batch(batch);
  }
  int64_t position(const char* topic, int32_t partition) const {
    int64_t offset = 0;
    check(kq_consumer_position(consumer_.get(), topic, partition, &offset));
    return offset;
  }
  Rows assignment() const;
  // The first offset at or after a time, or of KQ_EARLIEST, KQ_LATEST, KQ_MAX_TIMESTAMP; -1: there is none.
  int64_t offset_at(const char* topic, int32_t partition, int64_t timestamp_ms, Milliseconds timeout = forever) {
    kq_topic_partition one = KQ_TOPIC_PARTITION_INIT;
    one.topic = topic;
    one.partition = partition;
    check(kq_consumer_offsets_at(consumer_.get(), timestamp_ms, &one, 1, detail::ms(timeout)));
    return one.offset;
  }
  int32_t partition_count(const char* topic, Milliseconds timeout = forever) {
    int32_t count = 0;
    check(kq_consumer_partition_count(consumer_.get(), topic, detail::ms(timeout), &count));
    return count;
  }
  void wakeup() { check(kq_consumer_wakeup(consumer_.get())); }

  // ---- groups ----
  void subscribe(std::span<const char* const> topics) {
    check(kq_consumer_subscribe(consumer_.get(), topics.data(), topics.size()));
  }
  void subscribe(std::initializer_list<const char*> topics) { subscribe(std::span(topics.begin(), topics.size())); }
  void subscribe_pattern(const char* pattern) { check(kq_consumer_subscribe_pattern(consumer_.get(), pattern)); }
  void unsubscribe() { check(kq_consumer_unsubscribe(consumer_.get())); }
  void release(Batch& batch) { check(kq_consumer_release(consumer_.get(), batch.get())); }
  // Without offsets: all that polls have handed out.
  void commit(std::span<const TopicPartition> offsets = {}, Milliseconds timeout = forever) {
    const auto list = detail::listed(offsets);
    check(kq_consumer_commit(consumer_.get(), list.data(), list.size(), detail::ms(timeout)));
  }
  void commit_async(std::span<const TopicPartition> offsets = {}, uint64_t tag = 0) {
    const auto list = detail::listed(offsets);
    check(kq_consumer_commit_async(consumer_.get(), list.data(), list.size(), tag));
  }
  void store(std::span<const TopicPartition> offsets) {
    const auto list = detail::listed(offsets);
    check(kq_consumer_store(consumer_.get(), list.data(), list.size()));
  }
  // Without partitions: of all that is assigned.
  Rows committed(std::span<const TopicPartition> partitions = {}, Milliseconds timeout = forever);
  GroupMetadata group_metadata() const;

  Rows statistics();
  void close(Milliseconds timeout = forever) { check(kq_consumer_close(consumer_.get(), detail::ms(timeout))); }
  int fd() const { return kq_consumer_fd(consumer_.get()); }
  kq_consumer* get() const { return consumer_.get(); }

 private:

  detail::Owned<kq_consumer, kq_consumer_free> consumer_;
};

// ---- admin --------------------------------------------------------------------------------------------------------------------

// Rows, or those nested in one of them: then a view, which lives as long as the rows around it.
class RowsView {
 public:
  explicit RowsView(const kq_rows* rows) : rows_(rows) {}

  size_t size() const { return kq_rows_count(rows_); }
  const kq_error* error(size_t row) const { return kq_rows_error(rows_, row); }
  const kq_error* failure() const { return kq_rows_failure(rows_); }
  uint64_t tag() const { return kq_rows_tag(rows_); }
  const char* string(size_t row, const char* column) const { return kq_rows_string(rows_, row, column); }
  int64_t int64(size_t row, const char* column) const { return kq_rows_int64(rows_, row, column); }
  std::string_view bytes(size_t row, const char* column) const {
    size_t size = 0;
    const void* at = kq_rows_bytes(rows_, row, column, &size);
    return detail::view(at, size);
  }
  const char* json() const { return kq_rows_json(rows_); }
  RowsView nested(size_t row, const char* column) const { return RowsView(kq_rows_nested(rows_, row, column)); }

 private:
  const kq_rows* rows_;
};

class Rows : public RowsView {
 public:
  explicit Rows(kq_rows* owned) : RowsView(owned), rows_(owned) {}
  explicit operator bool() const { return rows_ != nullptr; }

 private:
  detail::Owned<kq_rows, kq_rows_free> rows_;
};

inline Rows Consumer::assignment() const {
  kq_rows* rows = nullptr;
  check(kq_consumer_assignment(consumer_.get(), &rows));
  return Rows(rows);
}

inline Rows Consumer::committed(std::span<const TopicPartition> partitions, Milliseconds timeout) {
  const auto list = detail::listed(partitions);
  kq_rows* rows = nullptr;
  check(kq_consumer_committed(consumer_.get(), list.data(), list.size(), detail::ms(timeout), &rows));
  return Rows(rows);
}

inline Rows Producer::statistics() {
  kq_rows* rows = nullptr;
  check(kq_producer_statistics(producer_.get(), &rows));
  return Rows(rows);
}

inline Rows Consumer::statistics() {
  kq_rows* rows = nullptr;
  check(kq_consumer_statistics(consumer_.get(), &rows));
  return Rows(rows);
}

inline GroupMetadata Consumer::group_metadata() const {
  kq_group_metadata* metadata = nullptr;
  check(kq_consumer_group_metadata(consumer_.get(), &metadata));
  return GroupMetadata(metadata);
}

// ---- share groups -------------------------------------------------------------------------------------------------------------

class ShareConsumer {
 public:
  static constexpr size_t to_end = static_cast<size_t>(-1);

  explicit ShareConsumer(const Config& config) : consumer_(detail::make(kq_share_consumer_new_on, config, nullptr)) {}
  ShareConsumer(const Loop& loop, const Config& config) : consumer_(detail::make(kq_share_consumer_new_on, config, &loop)) {}

  void subscribe(std::span<const char* const> topics) {
    check(kq_share_consumer_subscribe(consumer_.get(), topics.data(), topics.size()));
  }
  void subscribe(std::initializer_list<const char*> topics) { subscribe(std::span(topics.begin(), topics.size())); }
  void unsubscribe() { check(kq_share_consumer_unsubscribe(consumer_.get())); }
  Batch poll(Milliseconds timeout) {
    Error error;
    Batch batch = poll(timeout, error);
    if (error) throw Exception(std::move(error));
    return batch;
  }
  Batch poll(Milliseconds timeout, Error& error) {
    kq_batch* batch = nullptr;
    error = Error(kq_share_consumer_poll(consumer_.get(), detail::ms(timeout), &batch));
    return Batch(batch);
  }
  void wakeup() { check(kq_share_consumer_wakeup(consumer_.get())); }
  void acknowledge(const Batch& batch, size_t first, kq_acknowledge how) { acknowledge(batch, first, 1, how); }
  void acknowledge(const Batch& batch, size_t first, size_t count, kq_acknowledge how) {
    check(kq_share_consumer_acknowledge(consumer_.get(), batch.get(), first, count, how));
  }
  void acknowledge_all(const Batch& batch, kq_acknowledge how) { acknowledge(batch, 0, to_end, how); }
  void acknowledge_at(const char* topic, int32_t partition, int64_t offset, kq_acknowledge how) {
    check(kq_share_consumer_acknowledge_at(consumer_.get(), topic, partition, offset, how));
  }
  Rows commit(Milliseconds timeout = forever) {
    kq_rows* rows = nullptr;
    check(kq_share_consumer_commit(consumer_.get(), detail::ms(timeout), &rows));
    return Rows(rows);
  }
  void commit_async(uint64_t tag = 0) { check(kq_share_consumer_commit_async(consumer_.get(), tag)); }
  int32_t lock_timeout_ms() const { return kq_share_consumer_lock_timeout_ms(consumer_.get()); }
  Rows statistics() {
    kq_rows* rows = nullptr;
    check(kq_share_consumer_statistics(consumer_.get(), &rows));
    return Rows(rows);
  }
  void close(Milliseconds timeout = forever) { check(kq_share_consumer_close(consumer_.get(), detail::ms(timeout))); }
  int fd() const { return kq_share_consumer_fd(consumer_.get()); }
  kq_share_consumer* get() const { return consumer_.get(); }

 private:
  detail::Owned<kq_share_consumer, kq_share_consumer_free> consumer_;
};

class Request {
 public:
  explicit Request(const char* operation) {
    kq_request* request = nullptr;
    check(kq_request_new(operation, &request));
    request_.reset(request);
  }
  Request& item() { return check(kq_request_item(request_.get())), *this; }
  Request& set(const char* name, const char* value) { return check(kq_request_string(request_.get(), name, value)), *this; }
  Request& set(const char* name, const std::string& value) { return set(name, value.c_str()); }
  Request& set(const char* name, int64_t value) { return check(kq_request_int64(request_.get(), name, value)), *this; }
  Request& set(const char* name, int value) { return set(name, static_cast<int64_t>(value)); }
  const kq_request* get() const { return request_.get(); }

 private:
  detail::Owned<kq_request, kq_request_free> request_;
};

class Admin {
 public:
  explicit Admin(const Config& config) : admin_(detail::make(kq_admin_new_on, config, nullptr)) {}
  Admin(const Loop& loop, const Config& config) : admin_(detail::make(kq_admin_new_on, config, &loop)) {}

  Rows run(const Request& request, Milliseconds timeout = forever) {
    kq_rows* rows = nullptr;
    check(kq_admin_run(admin_.get(), request.get(), detail::ms(timeout), &rows));
    return Rows(rows);
  }
  void start(const Request& request, uint64_t tag) { check(kq_admin_start(admin_.get(), request.get(), tag)); }
  Rows poll(Milliseconds timeout) {
    kq_rows* rows = nullptr;
    check(kq_admin_poll(admin_.get(), detail::ms(timeout), &rows));
    return Rows(rows);
  }
  int fd() const { return kq_admin_fd(admin_.get()); }
  kq_admin* get() const { return admin_.get(); }

 private:
  detail::Owned<kq_admin, kq_admin_free> admin_;
};

}  // namespace abi_1
}  // namespace kq
