// kq bench produce|consume|latency: what a record costs, through the public calls alone.
//
// Honest by construction: one send for each record, each with its own bytes; every delivery is asked for and counted; a
// consumed record's key and value are read byte by byte into a sum.  What is measured begins after a warm-up, so connecting and
// first allocations are left out.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstring>
#include <random>

#include "cli/command.hpp"
#include "cli/line_reader.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

constexpr size_t random_bytes = 1 << 20;
constexpr uint64_t records_between_polls = 1024;

struct BenchOptions {
  std::string topic, acks, codec, data;
  uint64_t records = 1'000'000, warmup = 10'000;
  size_t size = 100;
  int32_t partition = -1;
  std::optional<int> linger_ms;
  std::optional<int64_t> batch_bytes;
  bool statistics = false;
};

// Wall clock and processor time since it was started.
class Meter {
 public:
  void start() {
    wall_ = now();
    usage_ = usage();
  }
  double wall() const { return now() - wall_; }
  double user() const { return seconds(usage().ru_utime) - seconds(usage_.ru_utime); }
  double system() const { return seconds(usage().ru_stime) - seconds(usage_.ru_stime); }

 private:
  static double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
  static double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  }
  static rusage usage() {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return usage;
  }
  double wall_ = 0;
  rusage usage_ = {};
};

void report(const Common& common, const Meter& meter, uint64_t records, uint64_t bytes, boost::json::object more) {
  const double wall = meter.wall(), user = meter.user(), system = meter.system();
  const auto count = static_cast<double>(records);
  boost::json::object result = {{"records", records},
                                {"bytes", bytes},
                                {"seconds", wall},
                                {"records_per_second", count / wall},
                                {"cpu_user_seconds", user},
                                {"cpu_system_seconds", system},
                                {"cpu_seconds_per_million", (user + system) / count * 1e6}};
  for (auto& [name, value] : more) result[name] = value;
  if (for_json(common.output)) {
    print_json(result);
    return;
  }
  print(fmt::format("{}, {} in {}: {}/s, {}/s\n", counted(records, "record"), human_bytes(static_cast<double>(bytes)),
                    human_seconds(wall), grouped(static_cast<int64_t>(count / wall)),
                    human_bytes(static_cast<double>(bytes) / wall)));
  print(fmt::format("processor: {:.2f} s user, {:.2f} s system; {:.3f} s for a million records\n", user, system,
                    (user + system) / count * 1e6));
  for (auto& [name, value] : more) print(fmt::format("{}: {}\n", std::string(name), boost::json::serialize(value)));
}

// Values for records: a window that moves over random bytes and carries the record's number, or the lines of a file over and
// over.
class Values {
 public:
  explicit Values(const BenchOptions& options) : size_(options.size) {
    if (options.data.empty()) {
      bytes_.resize(random_bytes + size_ + sizeof(uint64_t));
      std::mt19937_64 random(1);
      for (char& byte : bytes_) byte = static_cast<char>(random());
      return;
    }
    LineReader lines({options.data});
    while (const auto line = lines.next()) lines_.emplace_back(*line);
    if (lines_.empty()) throw Failure{exit_io, options.data + " holds no line"};
  }

  std::string_view at(uint64_t number) {
    if (!lines_.empty()) return lines_[number % lines_.size()];
    char* value = bytes_.data() + number * 61 % random_bytes;
    memcpy(value, &number, std::min(size_, sizeof number));
    return {value, size_};
  }

 private:
  const size_t size_;
  std::string bytes_;
  std::vector<std::string> lines_;
};

// What kq_X_statistics tells, for a report.
template <class Handle>
boost::json::value statistics_of(Handle* handle, kq_error* (*ask)(Handle*, kq_rows**)) {
  kq_rows* asked = nullptr;
  check(ask(handle, &asked));
  const RowsOwner rows(asked);
  return boost::json::parse(kq_rows_json(asked)).at(0);
}

class ProduceBench {
 public:
  ProduceBench(const Common& common, const BenchOptions& options) : common_(common), options_(options), values_(options) {
    Common set = common;
    if (!options.acks.empty()) set.properties.push_back("acks=" + options.acks);
    if (!options.codec.empty()) set.properties.push_back("compression.type=" + options.codec);
    if (options.linger_ms) set.properties.push_back(fmt::format("linger.ms={}", *options.linger_ms));
    if (options.batch_bytes) set.properties.push_back(fmt::format("batch.size={}", *options.batch_bytes));
    const Config config = set.config({"delivery.report", "all"});
    for (size_t i = 0; i < kq_config_count(config.get()); ++i)
      settings_[kq_config_key_at(config.get(), i)] = kq_config_value_at(config.get(), i);
    producer_ = set.producer({"delivery.report", "all"});
  }

  int run() {
    send(options_.warmup);
    Meter meter;
    bytes_ = failed_ = delivered_ = 0;
    meter.start();
    send(options_.records);
    boost::json::object more = {{"failed", failed_}, {"settings", settings_}};
    if (options_.statistics) more["statistics"] = statistics_of(producer_.get(), kq_producer_statistics);
    report(common_, meter, delivered_, bytes_, more);
    return failed_ ? exit_refused : exit_done;
  }

 private:
  // Sends so many and sees each delivered.
  void send(uint64_t count) {
    Progress progress(!common_.quiet, 0);
    kq_record record = KQ_RECORD_INIT;
    record.topic = options_.topic.c_str();
    record.partition = options_.partition;
    for (uint64_t i = 0; i < count && !interrupted(); ++i) {
      const std::string_view value = values_.at(number_++);
      record.value = value.data();
      record.value_len = value.size();
      while (kq_error* error = kq_producer_try_send(producer_.get(), &record)) {
        if (kq_error_verdict(error) != KQ_RETRY) check(error);
        kq_error_free(error);
        take_deliveries(100);
      }
      bytes_ += value.size();
      if (i % records_between_polls == 0) {
        take_deliveries(0);
        progress.update(i, bytes_);
      }
    }
    check(kq_producer_flush(producer_.get(), -1));
    take_deliveries(0);
  }

  void take_deliveries(int timeout_ms) {
    for (;; timeout_ms = 0) {
      kq_batch* taken = nullptr;
      check(kq_producer_poll(producer_.get(), timeout_ms, &taken));
      const Batch batch(taken);
      const size_t count = kq_batch_count(taken);
      if (count == 0) return;
      for (size_t i = 0; i < count; ++i) {
        const kq_error* error = kq_batch_error(taken, i);
        if (error && ++failed_ == 1) fmt::print(stderr, "kq bench: {}\n", describe(error));
        if (!error) ++delivered_;
      }
    }
  }

  const Common& common_;
  const BenchOptions& options_;
  Values values_;
  boost::json::object settings_;
  Producer producer_;
  uint64_t number_ = 0, bytes_ = 0, failed_ = 0, delivered_ = 0;
};

// The sum of all bytes, taken eight at a time in the processor's order, and of the lengths.
uint64_t sum_of(const void* data, size_t length) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t sum = length;
  for (; length >= sizeof(uint64_t); bytes += sizeof(uint64_t), length -= sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    sum += word;
  }
  for (; length > 0; ++bytes, --length) sum += *bytes;
  return sum;
}

int bench_consume(const Common& common, const BenchOptions& options) {
  const Consumer consumer = common.consumer({"auto.offset.reset", "earliest"});
  int32_t count = 0;
  check(kq_consumer_partition_count(consumer.get(), options.topic.c_str(), common.timeout_ms, &count));
  std::vector<kq_topic_partition> partitions;
  for (int32_t i = 0; i < count; ++i) {
    kq_topic_partition partition = KQ_TOPIC_PARTITION_INIT;
    partition.topic = options.topic.c_str();
    partition.partition = i;
    partition.offset = KQ_EARLIEST;
    partitions.push_back(partition);
  }
  check(kq_consumer_assign(consumer.get(), partitions.data(), partitions.size()));
  uint64_t records = 0, first_records = 0, first_bytes = 0, bytes = 0, sum = 0;
  Meter meter;
  while (records < options.records && !interrupted()) {
    kq_batch* taken = nullptr;
    check(kq_consumer_poll(consumer.get(), 1000, &taken));
    const Batch batch(taken);
    const size_t in_batch = kq_batch_kind_of(taken) == KQ_RECORDS ? kq_batch_count(taken) : 0;
    for (size_t i = 0; i < in_batch && records < options.records; ++i, ++records) {
      const kq_record& record = *kq_batch_at(taken, i);
      sum += sum_of(record.key, record.key_len) + sum_of(record.value, record.value_len);
      bytes += record.key_len + record.value_len;
    }
    if (first_records == 0 && records > 0) {  // start-up ends with the first records; they are not counted
      first_records = records;
      first_bytes = bytes;
      meter.start();
    }
  }
  boost::json::object more = {{"sum", fmt::format("{:016x}", sum)}};
  if (options.statistics) more["statistics"] = statistics_of(consumer.get(), kq_consumer_statistics);
  report(common, meter, records - first_records, bytes - first_bytes, more);
  return interrupted() ? exit_interrupted : exit_done;
}

void add_common(CLI::App* app, BenchOptions& options) {
  app->add_option("topic", options.topic, "The topic; it has to be there")->required();
  app->add_option("-n,--records", options.records, "How many records")->capture_default_str();
  app->add_flag("--statistics", options.statistics, "Tell what libkq has counted as well");
}

}  // namespace

void add_bench(const Commands& commands) {
  CLI::App* noun = commands.root.add_subcommand("bench", "Measure what records cost")->fallthrough()->require_subcommand(1);
  auto options = std::make_shared<BenchOptions>();
  CLI::App* produce = noun->add_subcommand("produce", "Send records as fast as possible, each acknowledged")->fallthrough();
  add_common(produce, *options);
  produce->add_option("-s,--size", options->size, "Bytes of a value")->capture_default_str()->check(CLI::PositiveNumber);
  produce->add_option("--data", options->data, "Take the lines of this file as values, over and over");
  produce->add_option("-p,--partition", options->partition, "All to this partition");
  produce->add_option("-z,--codec", options->codec, "none, gzip, snappy, lz4 or zstd");
  produce->add_option("--acks", options->acks, "0, 1 or all")->check(CLI::IsMember({"0", "1", "all"}));
  produce->add_option("--linger", options->linger_ms, "linger.ms");
  produce->add_option("--batch-size", options->batch_bytes, "batch.size");
  produce->add_option("--warmup", options->warmup, "Records sent before the measuring starts")->capture_default_str();
  produce->footer("Example:\n  kq topic create load && kq bench produce load -n 10000000 --acks all");
  produce->callback([=, &common = commands.common, &action = commands.action] {
    action = [=, &common] { return ProduceBench(common, *options).run(); };
  });
  CLI::App* consume = noun->add_subcommand("consume", "Read records as fast as possible, every byte of them")->fallthrough();
  add_common(consume, *options);
  consume->footer("Example:\n  kq bench consume load -n 10000000");
  consume->callback([=, &common = commands.common, &action = commands.action] {
    action = [=, &common] { return bench_consume(common, *options); };
  });
  add_bench_latency(commands, noun);
}

}  // namespace kq::cli
