// kq bench latency: how long a record takes from its send to a consumer that waits for it, one record at a time.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "cli/command.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct LatencyOptions {
  std::string topic, acks;
  uint64_t records = 10'000, warmup = 1'000;
  size_t size = 100;
};

// One thread sends a record and polls until it is there.
class LatencyBench {
 public:
  LatencyBench(const Common& common, const LatencyOptions& options)
      : options_(options),
        producer_(common.producer({"linger.ms", "0", "delivery.report", "none", "acks", options.acks.c_str()})),
        consumer_(common.consumer({"fetch.min.bytes", "1"})),
        value_(std::max(options.size, sizeof number_), 'v') {
    kq_topic_partition place = KQ_TOPIC_PARTITION_INIT;
    place.topic = options.topic.c_str();
    place.partition = 0;
    check(kq_consumer_offsets_at(consumer_.get(), KQ_LATEST, &place, 1, common.timeout_ms));
    check(kq_consumer_assign(consumer_.get(), &place, 1));
  }

  std::vector<double> run() {
    for (uint64_t i = 0; i < options_.warmup && !interrupted(); ++i) once();
    std::vector<double> microseconds;
    microseconds.reserve(options_.records);
    for (uint64_t i = 0; i < options_.records && !interrupted(); ++i) microseconds.push_back(once());
    return microseconds;
  }

 private:
  double once() {
    memcpy(value_.data(), &++number_, sizeof number_);
    kq_record record = KQ_RECORD_INIT;
    record.topic = options_.topic.c_str();
    record.partition = 0;
    record.value = value_.data();
    record.value_len = value_.size();
    const auto start = Clock::now();
    check(kq_producer_send(producer_.get(), &record));
    while (!arrived() && !interrupted()) continue;
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  }

  bool arrived() {
    kq_batch* taken = nullptr;
    check(kq_consumer_poll(consumer_.get(), 1000, &taken));
    const Batch batch(taken);
    if (kq_batch_kind_of(taken) != KQ_RECORDS) return false;
    const kq_record& last = *kq_batch_at(taken, kq_batch_count(taken) - 1);
    return last.value_len == value_.size() && memcmp(last.value, value_.data(), sizeof number_) == 0;
  }

  const LatencyOptions& options_;
  Producer producer_;
  Consumer consumer_;
  uint64_t number_ = 0;
  std::string value_;
};

int bench_latency(const Common& common, const LatencyOptions& options) {
  std::vector<double> all = LatencyBench(common, options).run();
  if (all.empty()) return exit_interrupted;
  std::ranges::sort(all);
  const auto quantile = [&](double part) { return all[static_cast<size_t>(part * static_cast<double>(all.size() - 1))]; };
  const boost::json::object result = {{"records", all.size()},
                                      {"p50_us", quantile(0.5)},
                                      {"p99_us", quantile(0.99)},
                                      {"max_us", all.back()}};
  if (for_json(common.output))
    print_json(result);
  else
    print(fmt::format("{}: p50 {:.0f} µs, p99 {:.0f} µs, longest {:.0f} µs\n", counted(all.size(), "record"), quantile(0.5), quantile(0.99),
                      all.back()));
  return interrupted() ? exit_interrupted : exit_done;
}

}  // namespace

void add_bench_latency(const Commands& commands, CLI::App* bench) {
  auto options = std::make_shared<LatencyOptions>();
  options->acks = "all";
  CLI::App* app = verb(commands, bench, "latency", "Send one record at a time to a consumer that waits for it", bench_latency, options);
  app->add_option("topic", options->topic, "The topic, of which partition 0 is used; it has to be there")->required();
  app->add_option("-n,--records", options->records, "How many records")->capture_default_str()->check(CLI::PositiveNumber);
  app->add_option("-s,--size", options->size, "Bytes of a value, at least 8")->capture_default_str();
  app->add_option("--acks", options->acks, "0, 1 or all")->capture_default_str()->check(CLI::IsMember({"0", "1", "all"}));
  app->add_option("--warmup", options->warmup, "Records before the measuring starts")->capture_default_str();
  app->footer("Example:\n  kq topic create pings && kq bench latency pings -n 10000");
}

}  // namespace kq::cli
