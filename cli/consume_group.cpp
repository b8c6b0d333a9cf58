// kq consume --group: records of topics as a member of a consumer group.
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <set>

#include "cli/consume.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

// Commits what was printed: a record that did not leave is read again.
class Member {
 public:
  Member(const Common& common, const ConsumeOptions& options);
  int run();

 private:
  using Place = std::pair<std::string, int32_t>;

  void take(const kq_batch* batch);
  void take_record(const kq_record& record);
  void tell(const char* what, const kq_batch* batch) const;
  void take_error(const kq_error* error) const;
  void write_out();
  bool done() const {
    return (options_.count > 0 && printer_.records() == options_.count) || (options_.until_end && assigned_once_ && at_end_ == assigned_);
  }

  const Common& common_;
  const ConsumeOptions& options_;
  Consumer consumer_;
  RecordPrinter printer_;
  std::map<Place, int64_t> printed_;  // offsets to go on at, not yet stored
  std::set<Place> assigned_, at_end_;
  bool assigned_once_ = false;
};

Member::Member(const Common& common, const ConsumeOptions& options)
    : common_(common),
      options_(options),
      consumer_(common.consumer({"group.id", options.group.c_str(), "enable.partition.eof", options.until_end ? "true" : "false",
                                 "enable.auto.offset.store", "false", "auto.offset.reset",
                                 options.from_beginning ? "earliest" : "latest", "isolation.level",
                                 options.read_committed ? "read_committed" : "read_uncommitted"})),
      printer_(common, options) {
  std::vector<const char*> topics;
  for (const std::string& topic : options.topics) topics.push_back(topic.c_str());
  check(kq_consumer_subscribe(consumer_.get(), topics.data(), topics.size()));
}

void Member::tell(const char* what, const kq_batch* batch) const {
  std::string line = what;
  for (size_t i = 0; i < kq_batch_count(batch); ++i) {
    const kq_record& row = *kq_batch_at(batch, i);
    line += fmt::format(" {}-{}", row.topic, row.partition);
  }
  note(common_, line);
}

void Member::take_record(const kq_record& record) {
  printer_.add(record);
  printed_[{record.topic, record.partition}] = record.offset + 1;
  at_end_.erase({record.topic, record.partition});
  if (printer_.full()) write_out();
}

void Member::take(const kq_batch* batch) {
  const kq_batch_kind kind = kq_batch_kind_of(batch);
  if (kind == KQ_ASSIGNED) tell("assigned", batch);
  if (kind == KQ_REVOKED) tell("revoked", batch);
  if (kind == KQ_LOST) tell("lost", batch);
  if (kind == KQ_REVOKED) write_out();  // before the batch is freed, by which the partitions go
  for (size_t i = 0; i < kq_batch_count(batch) && !done(); ++i) {
    const kq_record& row = *kq_batch_at(batch, i);
    const Place place(row.topic, row.partition);
    if (kind == KQ_RECORDS) take_record(row);
    if (kq_batch_event(batch) == KQ_END_OF_PARTITION) at_end_.insert(place);
    if (kind == KQ_ASSIGNED) assigned_once_ = assigned_.insert(place).second || assigned_once_;
    if (kind == KQ_REVOKED || kind == KQ_LOST) assigned_.erase(place), at_end_.erase(place);
    if (kind == KQ_LOST) printed_.erase(place);
  }
}

// A member that once was in lives through a broker's restart.
void Member::take_error(const kq_error* error) const {
  const bool passes = kq_error_verdict(error) == KQ_RETRY || kq_error_code(error) == KQ_ERR_TRANSPORT;
  if (!assigned_once_ || !passes) throw Failure{exit_status(error), describe(error)};
  note(common_, describe(error));
}

void Member::write_out() {
  printer_.write_out(true);
  std::vector<kq_topic_partition> offsets;
  for (const auto& [place, offset] : printed_) {
    kq_topic_partition one = KQ_TOPIC_PARTITION_INIT;
    one.topic = place.first.c_str();
    one.partition = place.second;
    one.offset = offset;
    offsets.push_back(one);
  }
  if (!offsets.empty()) check(kq_consumer_store(consumer_.get(), offsets.data(), offsets.size()));
  printed_.clear();
}

int Member::run() {
  while (!done() && !interrupted()) {
    kq_batch* taken = nullptr;
    const Error error(kq_consumer_poll(consumer_.get(), 0, &taken));
    const Batch batch(taken);
    if (error) take_error(error.get());
    if (taken) {
      take(taken);
      printer_.show_progress();
      continue;
    }
    write_out();
    wait_readable(kq_consumer_fd(consumer_.get()), -1, 1000);
  }
  write_out();
  check(kq_consumer_close(consumer_.get(), common_.timeout_ms));
  printer_.finish(fmt::format("group {}", options_.group), options_.until_end);
  return exit_done;
}

}  // namespace

int consume_as_member(const Common& common, const ConsumeOptions& options) { return Member(common, options).run(); }

}  // namespace kq::cli
