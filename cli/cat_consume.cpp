// kq cat -C and -G: records as kcat prints them.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>

#include "cli/cat.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

constexpr size_t out_bytes_max = size_t{64} << 10;

std::string_view view(const void* data, size_t size) { return {static_cast<const char*>(data), data ? size : 0}; }

// ---- printing ----------------------------------------------------------------------------------------------------------------

// kcat's own format: its letters are not those of `kq consume`.
class CatFormat {
 public:
  explicit CatFormat(const CatOptions& options) : options_(options), format_(options.format.value_or("")) {
    if (options.format) return;
    if (options.offsets) format_ += "%o" + options.key_separator.value_or("");
    if (options.key_separator) format_ += "%k" + *options.key_separator;
    format_ += "%s";
    const bool plain = options.separator.find_first_of("%\\") == options.separator.npos;
    if (!plain) throw Failure{exit_usage, "-D with a % or \\ goes with -f alone"};
    format_ += options.separator;
  }

  void append(std::string& out, const kq_record& record) const {
    for (size_t at = 0; at < format_.size(); ++at) {
      const char letter = format_[at];
      if (letter == '%' && at + 1 < format_.size()) field(out, format_[++at], record);
      else if (letter == '\\' && at + 1 < format_.size()) escape(out, at);
      else out += letter;
    }
  }

 private:
  void field(std::string& out, char letter, const kq_record& record) const {
    const auto length_of = [](const void* data, size_t size) { return data ? static_cast<int32_t>(size) : -1; };
    switch (letter) {
      case 's': bytes(out, record.value, record.value_len); break;
      case 'S': out += std::to_string(length_of(record.value, record.value_len)); break;
      case 'R': {
        const uint32_t length = htonl(static_cast<uint32_t>(length_of(record.value, record.value_len)));
        out.append(reinterpret_cast<const char*>(&length), sizeof length);
        break;
      }
      case 'k': bytes(out, record.key, record.key_len); break;
      case 'K': out += std::to_string(length_of(record.key, record.key_len)); break;
      case 'T': out += std::to_string(record.timestamp_ms); break;
      case 'h': headers(out, record); break;
      case 't': out += record.topic; break;
      case 'p': out += std::to_string(record.partition); break;
      case 'o': out += std::to_string(record.offset); break;
      case '%': out += '%'; break;
      default: throw Failure{exit_usage, fmt::format("the format has no token %{}", letter)};
    }
  }

  void bytes(std::string& out, const void* data, size_t size) const {
    if (size > 0) out += view(data, size);
    else if (options_.nulls) out += "NULL";  // an empty one as well, as kcat does
  }

  static void headers(std::string& out, const kq_record& record) {
    for (size_t i = 0; i < record.header_count; ++i) {
      const kq_header& header = record.headers[i];
      out += fmt::format("{}{}={}", i ? "," : "", view(header.key, header.key_len), header.value ? view(header.value, header.value_len) : "NULL");
    }
  }

  // \xHH and its kin; any other letter stands for itself.
  void escape(std::string& out, size_t& at) const {
    const char letter = format_[++at];
    if (letter == 'x') {
      const std::string digits = format_.substr(at + 1, 2);
      out += static_cast<char>(strtoul(digits.c_str(), nullptr, 16));
      at += digits.size();
      return;
    }
    out += letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r' : letter;
  }

  const CatOptions& options_;
  std::string format_;
};

boost::json::value text_or_null(const void* data, size_t size) { return data ? boost::json::value(view(data, size)) : boost::json::value(); }

void append_cat_json(std::string& out, const kq_record& record, int64_t broker) {
  const char* type = record.timestamp_type == KQ_CREATE_TIME ? "create" : record.timestamp_type == KQ_LOG_APPEND_TIME ? "logappend" : "unknown";
  boost::json::object json{{"topic", record.topic}, {"partition", record.partition}, {"offset", record.offset}, {"tstype", type},
                           {"ts", record.timestamp_ms}, {"broker", broker}};
  if (record.header_count > 0) {
    boost::json::array headers;
    for (size_t i = 0; i < record.header_count; ++i) {
      headers.emplace_back(view(record.headers[i].key, record.headers[i].key_len));
      headers.push_back(text_or_null(record.headers[i].value, record.headers[i].value_len));
    }
    json["headers"] = std::move(headers);
  }
  json["key"] = text_or_null(record.key, record.key_len);
  json["payload"] = text_or_null(record.value, record.value_len);
  out += boost::json::serialize(json);
  out += '\n';
}

// ---- reading -----------------------------------------------------------------------------------------------------------------

class CatReader {
 public:
  explicit CatReader(const CatOptions& options);
  int run();

 private:
  using Place = std::pair<std::string, int32_t>;

  void assign();
  void subscribe();
  std::vector<kq_topic_partition> partitions_asked();
  void set_start(std::vector<kq_topic_partition>& partitions);
  void take(const kq_batch* batch);
  void take_record(const kq_record& record);
  void reached_end(const kq_record& row);
  void rebalanced(const kq_batch* batch);
  void write_out();
  void say(const std::string& line) const { note(options_.common, line); }
  bool all_ended() const { return options_.exit_at_end && !ended_.empty() && std::ranges::all_of(ended_, [](const auto& each) { return each.second; }); }
  bool done() const { return (options_.count > 0 && printed_ == options_.count) || all_ended(); }

  const CatOptions& options_;
  const CatFormat format_;
  Consumer consumer_;
  std::map<Place, bool> ended_;      // what is assigned, and whether it is at its end
  std::map<Place, int64_t> leaders_; // for JSON
  std::string out_;
  uint64_t printed_ = 0;
};

CatReader::CatReader(const CatOptions& options) : options_(options), format_(options) {
  const bool grouped = options.mode == 'G';
  const std::string reset = options.offset == "beginning" ? "earliest" : "latest";
  consumer_ = grouped ? options.common.consumer({"group.id", options.group.c_str(), "enable.partition.eof", "true", "auto.offset.reset", reset.c_str()})
                      : options.common.consumer({"enable.partition.eof", "true", "auto.offset.reset", "earliest"});
  if (options.json) {
    Request request("describe_topics");
    for (const std::string& topic : grouped ? options.rest : options.topics) request.next().set("topic", topic);
    const RowsOwner answer = request.run(options.common.admin().get(), options.common.timeout_ms);
    const Rows topics(answer.get());
    for (size_t i = 0; i < topics.size(); ++i) {
      const Rows partitions = topics.nested(i, "partitions");
      for (size_t k = 0; k < partitions.size(); ++k)
        leaders_[{topics.string(i, "topic"), static_cast<int32_t>(partitions.int64(k, "partition"))}] = partitions.int64(k, "leader");
    }
  }
  if (grouped) subscribe();
  else assign();
}

void CatReader::subscribe() {
  if (options_.rest.empty()) throw Failure{exit_usage, "-G group topic...: which topics?"};
  std::vector<const char*> topics;
  for (const std::string& topic : options_.rest) topics.push_back(topic.c_str());
  check(kq_consumer_subscribe(consumer_.get(), topics.data(), topics.size()));
  say("% Waiting for group rebalance");
}

std::vector<kq_topic_partition> CatReader::partitions_asked() {
  const std::string& topic = options_.topics.front();
  int32_t count = 0;
  check(kq_consumer_partition_count(consumer_.get(), topic.c_str(), options_.common.timeout_ms, &count));
  if (options_.partition >= count) throw Failure{exit_refused, fmt::format("topic {} has {} partitions: there is no {}", topic, count, options_.partition)};
  std::vector<kq_topic_partition> partitions;
  for (int32_t number = 0; number < count; ++number) {
    if (options_.partition >= 0 && options_.partition != number) continue;
    kq_topic_partition one = KQ_TOPIC_PARTITION_INIT;
    one.topic = topic.c_str();
    one.partition = number;
    partitions.push_back(one);
    ended_[{topic, number}] = false;
  }
  return partitions;
}

void CatReader::set_start(std::vector<kq_topic_partition>& partitions) {
  const auto at = [&](int64_t time) {
    check(kq_consumer_offsets_at(consumer_.get(), time, partitions.data(), partitions.size(), options_.common.timeout_ms));
  };
  if (options_.from_time) {
    at(*options_.from_time);
    for (auto& each : partitions)
      if (each.offset < 0) each.offset = KQ_LATEST;
    return;
  }
  const std::string& offset = options_.offset;
  if (offset == "stored" || offset.empty() || offset == "beginning" || offset == "end") {
    for (auto& each : partitions) each.offset = offset == "stored" ? KQ_DEFAULT : offset == "end" ? KQ_LATEST : KQ_EARLIEST;
    return;
  }
  const int64_t number = std::stoll(offset);
  if (number < 0) {
    auto first = partitions;
    check(kq_consumer_offsets_at(consumer_.get(), KQ_EARLIEST, first.data(), first.size(), options_.common.timeout_ms));
    at(KQ_LATEST);
    for (size_t i = 0; i < partitions.size(); ++i) partitions[i].offset = std::max(first[i].offset, partitions[i].offset + number);
  } else {
    for (auto& each : partitions) each.offset = number;
  }
}

void CatReader::assign() {
  auto partitions = partitions_asked();
  set_start(partitions);
  check(kq_consumer_assign(consumer_.get(), partitions.data(), partitions.size()));
}

void CatReader::take_record(const kq_record& record) {
  const Place place(record.topic, record.partition);
  if (options_.until_time && record.timestamp_ms >= *options_.until_time) {
    if (!std::exchange(ended_[place], true)) say(fmt::format("% Reached stop timestamp for topic {} [{}] at offset {}", record.topic, record.partition, record.offset));
    return;
  }
  ended_[place] = false;
  if (options_.json) append_cat_json(out_, record, leaders_.contains(place) ? leaders_.at(place) : -1);
  else format_.append(out_, record);
  ++printed_;
  if (options_.unbuffered || out_.size() >= out_bytes_max) write_out();
}

void CatReader::reached_end(const kq_record& row) {
  ended_[{row.topic, row.partition}] = true;
  say(fmt::format("% Reached end of topic {} [{}] at offset {}{}", row.topic, row.partition, row.offset, all_ended() ? ": exiting" : ""));
}

void CatReader::rebalanced(const kq_batch* batch) {
  const bool added = kq_batch_kind_of(batch) == KQ_ASSIGNED;
  std::string names;
  for (size_t i = 0; i < kq_batch_count(batch); ++i) {
    const kq_record& row = *kq_batch_at(batch, i);
    names += fmt::format("{}{} [{}]", i ? ", " : "", row.topic, row.partition);
    if (added) ended_[{row.topic, row.partition}] = false;
    else ended_.erase({row.topic, row.partition});
  }
  write_out();
  say(fmt::format("% Group {} rebalanced: {}: {}", options_.group, added ? "assigned" : "revoked", names));
}

void CatReader::take(const kq_batch* batch) {
  const kq_batch_kind kind = kq_batch_kind_of(batch);
  if (kind == KQ_ASSIGNED || kind == KQ_REVOKED || kind == KQ_LOST) return rebalanced(batch);
  if (kind == KQ_EVENT) write_out();  // in the order of kcat: records, then the end
  for (size_t i = 0; i < kq_batch_count(batch) && !done(); ++i) {
    if (kind == KQ_RECORDS) take_record(*kq_batch_at(batch, i));
    if (kq_batch_event(batch) == KQ_END_OF_PARTITION) reached_end(*kq_batch_at(batch, i));
  }
}

void CatReader::write_out() {
  print(out_);
  out_.clear();
  flush();
}

int CatReader::run() {
  const bool stops = options_.until_time.has_value();
  const auto stopped = [&] { return stops && !ended_.empty() && std::ranges::all_of(ended_, [](const auto& each) { return each.second; }); };
  while (!done() && !stopped() && !interrupted()) {
    kq_batch* taken = nullptr;
    check(kq_consumer_poll(consumer_.get(), 0, &taken));
    const Batch batch(taken);
    if (taken) {
      take(taken);
      continue;
    }
    write_out();
    wait_readable(kq_consumer_fd(consumer_.get()), -1, 1000);
  }
  write_out();
  check(kq_consumer_close(consumer_.get(), options_.common.timeout_ms));
  return exit_done;
}

}  // namespace

int cat_consume(const CatOptions& options) { return CatReader(options).run(); }

}  // namespace kq::cli
