// kq produce: lines of files or of the standard input become records.
#include <fmt/format.h>

#include <map>

#include "cli/command.hpp"
#include "cli/line_reader.hpp"
#include "cli/progress.hpp"
#include "cli/record_json.hpp"
#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

constexpr int failures_shown_max = 10;
constexpr uint64_t records_between_polls = 1024;

struct ProduceOptions {
  std::string topic;
  std::vector<std::string> files;
  int32_t partition = -1;
  std::string key_delimiter, field_separator, codec, null_text, input = "lines";
  int key_field = 0;  // 1: the first; 0: none
  std::vector<std::string> headers;
  bool no_nulls = true;  // --null was not given
};

// The n-th field of a line, from 1.  An empty separator: runs of blanks.
std::optional<std::string_view> field_of(std::string_view line, int wanted, std::string_view separator) {
  const std::string_view blanks = " \t";
  size_t at = 0;
  for (int field = 1;; ++field) {
    if (separator.empty()) at = std::min(line.find_first_not_of(blanks, at), line.size());
    const size_t end = std::min(separator.empty() ? line.find_first_of(blanks, at) : line.find(separator, at), line.size());
    if (field == wanted) {
      const std::string_view found = line.substr(at, end - at);
      return found.empty() ? std::nullopt : std::optional(found);
    }
    if (end == line.size()) return std::nullopt;
    at = end + (separator.empty() ? 1 : separator.size());
  }
}

// One run of the command: what was sent, and what became of it.
class Run {
 public:
  Run(const Common& common, const ProduceOptions& options);
  int finish();
  void pass(LineReader& lines);

 private:
  bool fill_record(std::string_view line, const LineReader& lines);
  void fill_from_line(std::string_view line);
  std::string fill_from_json(std::string_view line);
  void set_bytes(const void*& data, size_t& length, std::optional<std::string_view> bytes) const;
  void send();
  void take_deliveries(int timeout_ms);
  void count_delivery(const kq_record& record, const kq_error* error);
  int summary();

  const Common& common_;
  const ProduceOptions& options_;
  const bool json_;
  std::string key_delimiter_, field_separator_;
  std::vector<kq_header> headers_;
  JsonRecord parsed_;
  kq_record record_ = KQ_RECORD_INIT;
  Producer producer_;
  uint64_t sent_ = 0, delivered_ = 0, failed_ = 0, bytes_ = 0;
  std::map<int32_t, uint64_t> per_partition_;
  int worst_status_ = exit_done;
  Progress::Clock::time_point start_ = Progress::Clock::now();
};

std::string typed(const std::string& text, const char* option) {
  auto plain = unescape(text);
  if (!plain) throw Failure{exit_usage, fmt::format("{} has an unknown escape; known are \\t \\n \\r \\0 \\\\ \\xHH", option)};
  return std::move(*plain);
}

Run::Run(const Common& common, const ProduceOptions& options)
    : common_(common),
      options_(options),
      json_(options.input == "json"),
      key_delimiter_(typed(options.key_delimiter, "--key-delimiter")),
      field_separator_(typed(options.field_separator, "--field-separator")) {
  for (const std::string& header : options_.headers) {
    const size_t equals = header.find('=');
    if (equals == std::string::npos) throw Failure{exit_usage, "--header takes name=value, not '" + header + "'"};
    headers_.push_back(
        {.key = header.data(), .key_len = equals, .value = header.data() + equals + 1, .value_len = header.size() - equals - 1});
  }
  Common with_codec = common;
  if (!options.codec.empty()) with_codec.properties.push_back("compression.type=" + options.codec);
  producer_ = with_codec.producer({"delivery.report", "all"});
  int32_t partitions = 0;
  check(kq_producer_partition_count(producer_.get(), options.topic.c_str(), common.timeout_ms, &partitions));
  if (options.partition >= partitions)
    throw Failure{exit_refused, fmt::format("topic {} has {} partitions, so the last one is {}, not {}", options.topic,
                                            partitions, partitions - 1, options.partition)};
}

void Run::set_bytes(const void*& data, size_t& length, std::optional<std::string_view> bytes) const {
  const bool null = !bytes || (!options_.no_nulls && *bytes == options_.null_text);
  data = null ? nullptr : bytes->empty() ? "" : bytes->data();
  length = null ? 0 : bytes->size();
}

void Run::fill_from_line(std::string_view line) {
  std::optional<std::string_view> key;
  if (!key_delimiter_.empty()) {
    if (const size_t at = line.find(key_delimiter_); at != std::string_view::npos) {
      key = line.substr(0, at);
      line.remove_prefix(at + key_delimiter_.size());
    }
  } else if (options_.key_field > 0) {
    key = field_of(line, options_.key_field, field_separator_);
  }
  set_bytes(record_.key, record_.key_len, key);
  set_bytes(record_.value, record_.value_len, line);
  record_.headers = headers_.data();
  record_.header_count = headers_.size();
}

std::string Run::fill_from_json(std::string_view line) {
  if (std::string wrong = parsed_.parse(line); !wrong.empty()) return wrong;
  if (options_.partition < 0 && parsed_.partition) record_.partition = *parsed_.partition;
  record_.timestamp_ms = parsed_.timestamp_ms.value_or(-1);
  set_bytes(record_.key, record_.key_len, parsed_.key);
  set_bytes(record_.value, record_.value_len, parsed_.value);
  const auto& headers = parsed_.headers();
  record_.headers = headers.data();
  record_.header_count = headers.size();
  return "";
}

// False: this line is no record, and has been told of.
bool Run::fill_record(std::string_view line, const LineReader& lines) {
  record_ = kq_record KQ_RECORD_INIT;
  record_.topic = options_.topic.c_str();
  record_.partition = options_.partition;
  if (!json_) {
    fill_from_line(line);
    return true;
  }
  const std::string wrong = fill_from_json(line);
  if (wrong.empty()) return true;
  throw Failure{exit_usage, lines.place() + ": " + wrong + "; the lines before it were sent"};
}

void Run::send() {
  for (;;) {
    const Error error(kq_producer_try_send(producer_.get(), &record_));
    if (!error) break;
    if (kq_error_verdict(error.get()) == KQ_FATAL) throw Failure{exit_status(error.get()), describe(error.get())};
    if (kq_error_verdict(error.get()) != KQ_RETRY) {
      count_delivery(record_, error.get());
      break;
    }
    take_deliveries(100);
    if (interrupted()) return;
  }
  ++sent_;
  bytes_ += record_.key_len + record_.value_len;
  if (sent_ % records_between_polls == 0) take_deliveries(0);
}

void Run::count_delivery(const kq_record& record, const kq_error* error) {
  if (!error) {
    ++delivered_;
    ++per_partition_[record.partition];
    return;
  }
  if (++failed_ <= failures_shown_max) fmt::print(stderr, "kq produce: {}\n", describe(error));
  worst_status_ = std::max(worst_status_, exit_status(error));
}

void Run::take_deliveries(int timeout_ms) {
  for (;; timeout_ms = 0) {
    kq_batch* taken = nullptr;
    check(kq_producer_poll(producer_.get(), timeout_ms, &taken));
    const Batch batch(taken);
    const size_t count = kq_batch_count(taken);
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) count_delivery(*kq_batch_at(taken, i), kq_batch_error(taken, i));
  }
}

void Run::pass(LineReader& lines) {
  Progress progress(!common_.quiet, lines.bytes_total());
  const bool may_wait = lines.bytes_total() == 0;  // a pipe or a terminal: failures are told while nothing comes
  while (!interrupted()) {
    if (may_wait && lines.must_read() && !wait_readable(lines.descriptor(), kq_producer_fd(producer_.get()), -1)) {
      take_deliveries(0);
      continue;
    }
    const auto line = lines.next();
    if (!line) break;
    if (fill_record(*line, lines)) send();
    if (sent_ % records_between_polls == 0) progress.update(sent_, lines.bytes_total() ? lines.bytes_read() : bytes_);
  }
  progress.clear();
}

int Run::finish() {
  const Error error(kq_producer_close(producer_.get(), interrupted() ? 5000 : -1));
  take_deliveries(0);
  if (error && failed_ == 0) throw Failure{exit_status(error.get()), describe(error.get())};
  return summary();
}

int Run::summary() {
  const double seconds = std::chrono::duration<double>(Progress::Clock::now() - start_).count();
  if (for_json(common_.output)) {
    boost::json::object partitions;
    for (const auto& [partition, count] : per_partition_) partitions[std::to_string(partition)] = count;
    print_json({{"topic", options_.topic},
                {"records", delivered_},
                {"failed", failed_},
                {"bytes", bytes_},
                {"seconds", seconds},
                {"partitions", partitions}});
  } else {
    if (failed_ > failures_shown_max) note(common_, fmt::format("... and {} more", failed_ - failures_shown_max));
    if (sent_ > 0 || failed_ > 0)
      note(common_, fmt::format("{}: {}, {}, in {}, {}, {}{}", options_.topic, counted(delivered_, "record"),
                                human_bytes(static_cast<double>(bytes_)), counted(per_partition_.size(), "partition"),
                                human_seconds(seconds), rate(delivered_, seconds),
                                failed_ ? fmt::format("; {} could not be delivered", failed_) : ""));
  }
  if (interrupted()) return exit_interrupted;
  return failed_ ? std::max<int>(worst_status_, exit_refused) : exit_done;
}

int produce(const Common& common, const ProduceOptions& options) {
  LineReader lines(options.files);
  Run run(common, options);
  try {
    run.pass(lines);
  } catch (const Failure&) {
    run.finish();  // what was read before is not given up
    throw;
  }
  return run.finish();
}

}  // namespace

void add_produce(const Commands& commands) {
  auto options = std::make_shared<ProduceOptions>();
  CLI::App* app =
      commands.root.add_subcommand("produce", "Send lines of files or of the standard input as records")->fallthrough();
  app->add_option("topic", options->topic, "The topic")->required();
  app->add_option("file", options->files, "Files to read (default, and '-': the standard input)");
  app->add_option("-p,--partition", options->partition,
                  "The partition of all records (default: by the key, as Kafka's own clients do)");
  auto* delimiter = app->add_option(
      "-K,--key-delimiter", options->key_delimiter,
      "A line is key, delimiter, value; one without the delimiter goes without a key (\\t and \\xHH are understood)");
  app->add_option("--key-field", options->key_field, "The key is this field of the line, from 1; the value is the whole line")
      ->check(CLI::PositiveNumber)
      ->excludes(delimiter);
  app->add_option("--field-separator", options->field_separator, "What separates fields (default: blanks and tabs)");
  app->add_option("-H,--header", options->headers, "A header of every record, name=value; may be given again")
      ->allow_extra_args(false);
  auto* null_text = app->add_option("--null", options->null_text, "A key or value with this text is null");
  app->add_option("-i,--input", options->input, "lines, or json: a line holds a record as 'kq consume -o json' prints it")
      ->check(CLI::IsMember({"lines", "json"}));
  app->add_option("-z,--codec", options->codec, "none, gzip, snappy, lz4 or zstd (short for -X compression.type=...)");
  app->footer(
      "Examples:\n"
      "  kq produce greetings <<< 'hello'\n"
      "  kq produce access /var/log/nginx/access.log --key-field 1 -z zstd\n"
      "  kq consume orders --from-beginning --until-end -o json | kq produce copy -i json");
  app->callback([=, &common = commands.common, &action = commands.action] {
    options->no_nulls = null_text->count() == 0;
    action = [=, &common] { return produce(common, *options); };
  });
}

}  // namespace kq::cli
