// kq consume: records of a topic on the standard output.
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "cli/consume.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

class Reader {
 public:
  Reader(const Common& common, const ConsumeOptions& options);
  int run();

 private:
  std::vector<kq_topic_partition> partitions_asked();
  void set_starts(std::vector<kq_topic_partition>& partitions);
  std::vector<kq_topic_partition> at_time(const std::vector<kq_topic_partition>& partitions, int64_t timestamp);
  void note_ends(const std::vector<kq_topic_partition>& partitions);
  void take(const kq_batch* batch);
  void take_record(const kq_record& record);
  void reached(int32_t partition, int64_t next_offset);
  bool done() const { return (options_.count > 0 && printer_.records() == options_.count) || (options_.until_end && ends_.empty()); }

  const Common& common_;
  const ConsumeOptions& options_;
  const std::string& topic_;
  Consumer consumer_;
  std::map<int32_t, int64_t> ends_;  // with --until-end: partitions that are not at their end yet
  RecordPrinter printer_;
};

Reader::Reader(const Common& common, const ConsumeOptions& options)
    : common_(common),
      options_(options),
      topic_(options.topics.front()),
      consumer_(common.consumer({"enable.partition.eof", "true", "auto.offset.reset", "none", "isolation.level",
                                 options.read_committed ? "read_committed" : "read_uncommitted"})),
      printer_(common, options) {
  std::vector<kq_topic_partition> partitions = partitions_asked();
  set_starts(partitions);
  if (options.until_end) note_ends(partitions);
  check(kq_consumer_assign(consumer_.get(), partitions.data(), partitions.size()));
}

std::vector<kq_topic_partition> Reader::partitions_asked() {
  int32_t count = 0;
  check(kq_consumer_partition_count(consumer_.get(), topic_.c_str(), common_.timeout_ms, &count));
  std::vector<int32_t> numbers = options_.partitions;
  for (int32_t i = 0; options_.partitions.empty() && i < count; ++i) numbers.push_back(i);
  std::vector<kq_topic_partition> partitions;
  for (const int32_t number : numbers) {
    if (number < 0 || number >= count)
      throw Failure{exit_refused, fmt::format("topic {} has {} partitions, so the last one is {}, not {}", topic_, count,
                                              count - 1, number)};
    kq_topic_partition partition = KQ_TOPIC_PARTITION_INIT;
    partition.topic = topic_.c_str();
    partition.partition = number;
    partitions.push_back(partition);
  }
  return partitions;
}

std::vector<kq_topic_partition> Reader::at_time(const std::vector<kq_topic_partition>& partitions, int64_t timestamp) {
  std::vector<kq_topic_partition> found = partitions;
  check(kq_consumer_offsets_at(consumer_.get(), timestamp, found.data(), found.size(), common_.timeout_ms));
  return found;
}

void Reader::set_starts(std::vector<kq_topic_partition>& partitions) {
  if (!options_.from_time.empty()) {
    const int64_t now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto time = parse_time(options_.from_time, now);
    if (!time)
      throw Failure{
          exit_usage,
          "--from takes 2024-05-01, 2024-05-01T10:00:00Z, milliseconds since 1970, or how long ago: 30s, 15m, 2h, 1d; not '" +
              options_.from_time + "'"};
    partitions = at_time(partitions, *time);
    for (auto& partition : partitions)
      if (partition.offset < 0) partition.offset = KQ_LATEST;  // nothing that new
    return;
  }
  if (!options_.offset) {
    for (auto& partition : partitions) partition.offset = options_.from_beginning ? KQ_EARLIEST : KQ_LATEST;
    return;
  }
  if (*options_.offset >= 0) {
    for (auto& partition : partitions) partition.offset = *options_.offset;
    return;
  }
  const auto first = at_time(partitions, KQ_EARLIEST);
  partitions = at_time(partitions, KQ_LATEST);
  for (size_t i = 0; i < partitions.size(); ++i)
    partitions[i].offset = std::max(first[i].offset, partitions[i].offset + *options_.offset);
}

// The ends as they are now: what is written later is not waited for.
void Reader::note_ends(const std::vector<kq_topic_partition>& partitions) {
  for (const auto& partition : at_time(partitions, KQ_LATEST)) ends_[partition.partition] = partition.offset;
  const auto first = at_time(partitions, KQ_EARLIEST);
  for (size_t i = 0; i < partitions.size(); ++i) {
    const int64_t start = partitions[i].offset == KQ_EARLIEST ? first[i].offset : partitions[i].offset;
    if (start == KQ_LATEST || start >= ends_[partitions[i].partition]) ends_.erase(partitions[i].partition);
  }
}

void Reader::reached(int32_t partition, int64_t next_offset) {
  const auto found = ends_.find(partition);
  if (found != ends_.end() && next_offset >= found->second) ends_.erase(found);
}

void Reader::take_record(const kq_record& record) {
  const auto end = options_.until_end ? ends_.find(record.partition) : ends_.end();
  if (options_.until_end && (end == ends_.end() || record.offset >= end->second)) {
    reached(record.partition, record.offset);  // written after we began
    return;
  }
  printer_.add(record);
  reached(record.partition, record.offset + 1);
  if (printer_.full()) printer_.write_out(false);
}

void Reader::take(const kq_batch* batch) {
  const size_t count = kq_batch_count(batch);
  for (size_t i = 0; i < count && !done(); ++i) {
    const kq_record& record = *kq_batch_at(batch, i);
    if (kq_batch_kind_of(batch) == KQ_RECORDS) take_record(record);
    if (kq_batch_event(batch) == KQ_END_OF_PARTITION) reached(record.partition, record.offset);
  }
}

int Reader::run() {
  while (!done() && !interrupted()) {
    kq_batch* taken = nullptr;
    check(kq_consumer_poll(consumer_.get(), 0, &taken));
    const Batch batch(taken);
    if (taken) {
      take(taken);
      printer_.show_progress();
      continue;
    }
    printer_.write_out(true);
    wait_readable(kq_consumer_fd(consumer_.get()), -1, 1000);
  }
  printer_.finish(topic_, options_.until_end);
  return exit_done;
}

// What belongs to reading by hand, and what to a group.
int consume(const Common& common, const ConsumeOptions& options) {
  const bool begins_somewhere = options.from_beginning || options.until_end || options.read_committed;
  if (!options.share.empty()) {
    if (!options.group.empty() || !options.partitions.empty() || options.offset || !options.from_time.empty() || begins_somewhere)
      throw Failure{exit_usage, "a share group decides what is read, and from where: --share goes with --count and --format alone"};
    return consume_shared(common, options);
  }
  if (options.group.empty()) {
    if (options.topics.size() > 1) throw Failure{exit_usage, "several topics are read as a member of a group: give it a name with --group"};
    return Reader(common, options).run();
  }
  if (!options.partitions.empty() || options.offset || !options.from_time.empty())
    throw Failure{exit_usage, "a group decides which partitions are read, and where: --group goes without --partition, --offset and --from"};
  return consume_as_member(common, options);
}

}  // namespace

RecordPrinter::RecordPrinter(const Common& common, const ConsumeOptions& options)
    : common_(common), format_(options.format, options.null_text), progress_(!common.quiet && !isatty(STDOUT_FILENO), 0) {}

void RecordPrinter::add(const kq_record& record) {
  if (for_json(common_.output)) {
    append_json(out_, record);
  } else {
    format_.append(out_, record);
  }
  ++records_;
  bytes_ += record.key_len + record.value_len;
}

void RecordPrinter::write_out(bool at_once) {
  print(out_);
  out_.clear();
  if (at_once) flush();
}

void RecordPrinter::finish(const std::string& what, bool tell) {
  progress_.clear();
  write_out(true);
  if (for_json(common_.output) || !(isatty(STDERR_FILENO) || tell)) return;
  note(common_, fmt::format("{}: {}, {}, {}", what, counted(records_, "record"), human_bytes(static_cast<double>(bytes_)),
                            human_seconds(progress_.seconds())));
}

void add_consume(const Commands& commands) {
  auto options = std::make_shared<ConsumeOptions>();
  CLI::App* app = commands.root.add_subcommand("consume", "Print the records of a topic, from now on or from an earlier point")
                      ->fallthrough();
  app->add_option("topic", options->topics, "The topic; with --group there may be several")->required();
  app->add_option("-g,--group", options->group,
                  "Read as a member of this consumer group: from where it has committed, sharing partitions with its other members");
  app->add_option("--share", options->share,
                  "Read as a member of this share group: each record goes to one member, and is accepted once it is printed");
  app->add_option("-p,--partition", options->partitions, "Only these partitions, with commas")
      ->delimiter(',')
      ->allow_extra_args(false);
  auto* beginning = app->add_flag("--from-beginning", options->from_beginning, "Start with the first record that is still there");
  auto* offset = app->add_option("--offset", options->offset, "Start at this offset; negative: that many before the end")
                     ->excludes(beginning);
  app->add_option("--from", options->from_time,
                  "Start at a time: 2024-05-01T10:00:00Z, milliseconds since 1970, or how long ago (15m, 2h, 1d)")
      ->excludes(beginning)
      ->excludes(offset);
  app->add_flag("--until-end", options->until_end, "Stop at the end as it is now");
  app->add_option("-n,--count", options->count, "Stop after so many records");
  app->add_option("-f,--format", options->format, "How a record is printed (default: %v\\n, see below)");
  app->add_option("--null", options->null_text, "What a null key or value is printed as (default: nothing)");
  app->add_flag("--read-committed", options->read_committed, "Leave out records of open and aborted transactions");
  app->footer(
      "Format: %t topic, %p partition, %o offset, %e leader epoch, %T timestamp (ms), %d timestamp (ISO 8601), %k key, %v "
      "value,\n"
      "%K and %V their lengths (-1: null), %h headers, %% a percent sign; \\n \\t \\r \\0 \\xHH.\n\n"
      "Examples:\n"
      "  kq consume orders\n"
      "  kq consume orders --from-beginning --until-end -f '%k\\t%v\\n'\n"
      "  kq consume orders --from 2h -o json | jq .value\n"
      "  kq consume orders --offset -10 -n 10\n"
      "  kq consume orders payments --group readers --from-beginning\n"
      "  kq consume jobs --share workers -n 1");
  app->callback([=, &common = commands.common, &action = commands.action] {
    action = [=, &common] { return consume(common, *options); };
  });
}

}  // namespace kq::cli
