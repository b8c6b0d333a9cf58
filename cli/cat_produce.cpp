// kq cat -P: messages of the standard input, of a file's lines, or whole files.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "cli/cat.hpp"
#include "cli/line_reader.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

constexpr uint64_t messages_between_polls = 1024;

class Writer {
 public:
  explicit Writer(const CatOptions& options);
  void pass(LineReader& lines);
  void send(std::string_view message);
  int finish();

 private:
  bool full() const { return options_.count > 0 && sent_ == options_.count; }
  void take_deliveries(int timeout_ms);
  void tell(const kq_error* error);

  const CatOptions& options_;
  Producer producer_;
  bool in_transaction_ = false;
  std::vector<kq_header> headers_;
  uint64_t sent_ = 0;
  int status_ = exit_done;
};

// kcat's keys go where librdkafka puts them.
Writer::Writer(const CatOptions& options) : options_(options) {
  for (const std::string& header : options.headers) {
    const size_t equals = std::min(header.find('='), header.size());
    const bool has_value = equals < header.size();
    headers_.push_back({header.data(), equals, has_value ? header.data() + equals + 1 : nullptr, has_value ? header.size() - equals - 1 : 0});
  }
  Common common = options.common;
  if (options.codec) common.properties.push_back("compression.type=" + *options.codec);
  const Config config = common.config({"partitioner", "consistent_random", "delivery.report", "errors"});
  kq_producer* producer = nullptr;
  check(kq_producer_new(config.get(), &producer));
  producer_.reset(producer);
  in_transaction_ = kq_config_get(config.get(), "transactional.id") != nullptr;
  if (in_transaction_) check(kq_producer_begin(producer_.get(), common.timeout_ms));
}

void Writer::tell(const kq_error* error) {
  fmt::print(stderr, "% ERROR: Delivery failed for message: {}\n", describe(error));
  status_ = exit_status(error);
}

void Writer::take_deliveries(int timeout_ms) {
  for (;; timeout_ms = 0) {
    kq_batch* taken = nullptr;
    check(kq_producer_poll(producer_.get(), timeout_ms, &taken));
    const Batch batch(taken);
    if (!taken) return;
    for (size_t i = 0; i < kq_batch_count(taken); ++i)
      if (const kq_error* error = kq_batch_error(taken, i)) tell(error);
  }
}

// An empty key or value is NULL with -Z; a message without the key's separator has the key of -k, or none.
void Writer::send(std::string_view message) {
  kq_record record = KQ_RECORD_INIT;
  record.topic = options_.topics.front().c_str();
  record.partition = options_.partition;
  record.headers = headers_.data();
  record.header_count = headers_.size();
  std::optional<std::string_view> key = options_.key;
  if (options_.key_separator) {
    if (const size_t at = message.find(*options_.key_separator); at != message.npos) {
      const bool keep_fixed = at == 0 && options_.key;
      if (!keep_fixed) key = message.substr(0, at);
      message.remove_prefix(at + options_.key_separator->size());
    }
  }
  if (key && !(key->empty() && options_.nulls)) record.key = key->empty() ? "" : key->data(), record.key_len = key->size();
  if (!(message.empty() && options_.nulls)) record.value = message.empty() ? "" : message.data(), record.value_len = message.size();
  for (;;) {
    const Error error(kq_producer_try_send(producer_.get(), &record));
    if (!error) break;
    if (kq_error_verdict(error.get()) != KQ_RETRY) throw Failure{exit_status(error.get()), describe(error.get())};
    take_deliveries(100);
    if (interrupted()) return;
  }
  if (++sent_ % messages_between_polls == 0) take_deliveries(0);
  if (options_.tee) print(message);        // as kcat: what stood between them does not come out
}

void Writer::pass(LineReader& lines) {
  while (!interrupted() && !full()) {
    if (lines.bytes_total() == 0 && lines.must_read() && !wait_readable(lines.descriptor(), kq_producer_fd(producer_.get()), -1)) {
      take_deliveries(0);
      continue;
    }
    const auto line = lines.next();
    if (!line) break;
    if (!line->empty()) send(*line);
  }
}

int Writer::finish() {
  if (in_transaction_) check(interrupted() ? kq_producer_abort(producer_.get(), -1) : kq_producer_commit(producer_.get(), -1));
  const Error error(kq_producer_close(producer_.get(), interrupted() ? 5000 : -1));
  take_deliveries(0);
  if (error && status_ == exit_done) throw Failure{exit_status(error.get()), describe(error.get())};
  return interrupted() ? exit_interrupted : status_;
}

std::string whole_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file) throw Failure{exit_io, path + " cannot be read"};
  return content.str();
}

}  // namespace

int cat_produce(const CatOptions& options) {
  if (options.lines && options.rest.size() != 1) throw Failure{exit_usage, "-l takes one file"};
  Writer writer(options);
  if (options.rest.empty() || options.lines) {
    LineReader lines(options.rest, options.separator);
    writer.pass(lines);
  } else {
    for (const std::string& path : options.rest) writer.send(whole_file(path));
  }
  return writer.finish();
}

}  // namespace kq::cli
