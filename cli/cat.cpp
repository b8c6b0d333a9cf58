// kq cat: kcat's words, and its modes -L and -Q.
#include "cli/cat.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "cli/table.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {

constexpr const char* help =
    "kq cat: produce and consume as kcat does\n\n"
    "Usage: kq cat [-C | -P | -L | -Q | -G group] [flags] [file... | topic...]\n\n"
    "  -C  consume (the default where the standard input is a terminal)   -P  produce (the default else)\n"
    "  -L  list brokers, topics, partitions    -Q  offsets by time: -t topic:partition:timestamp\n"
    "  -G group topic...  consume as a member of a group\n\n"
    "  -b brokers   -t topic   -p partition   -X key=value   -F file of them   -m seconds to wait   -q quiet   -v   -E\n"
    "  -D text  between messages (\\n)   -K text  between key and value   -c count  stop after so many   -Z  empty is NULL\n"
    "Consuming: -o beginning|end|stored|N|-N|s@ms|e@ms   -e  exit at the end   -f format   -J  JSON   -u  unbuffered   -O  offsets\n"
    "Producing: -k key   -H name=value   -z codec   -l  a file's lines (else each file is a message)   -T  copy to the standard output\n\n"
    "Format: %s value, %S its length, %R the same as 4 bytes, %k key, %K its length, %T timestamp, %h headers, %t topic, %p partition,\n"
    "%o offset; \\n \\r \\t \\xHH.\n\n"
    "Examples:\n"
    "  kq cat -b localhost:9092 -t orders -C -o -10 -e -f '%t [%p] at %o: %k = %s\\n'\n"
    "  tail -f access.log | kq cat -b localhost:9092 -t access -P -z lz4\n"
    "  kq cat -b localhost:9092 -L -J\n";

std::string typed(const std::string& text, char flag) {
  auto plain = unescape(text);
  if (!plain || plain->empty()) throw Failure{exit_usage, fmt::format("-{} takes a text with the escapes \\n \\t \\r \\0 \\xHH", flag)};
  return *plain;
}

int64_t number(std::string_view text, char flag) {
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) throw Failure{exit_usage, fmt::format("-{} takes a number, not '{}'", flag, text)};
  return value;
}

// kcat takes hosts without ports.
std::string with_ports(std::string_view brokers) {
  std::string all;
  for (size_t at = 0; at <= brokers.size();) {
    const size_t end = std::min(brokers.find(',', at), brokers.size());
    const std::string_view broker = brokers.substr(at, end - at);
    const bool has_port = broker.find(':') != broker.npos && (broker.front() != '[' || broker.find("]:") != broker.npos);
    all += fmt::format("{}{}{}", all.empty() ? "" : ",", broker, has_port ? "" : ":9092");
    at = end + 1;
  }
  return all;
}

void set_offset(CatOptions& options, const std::string& text) {
  if (text.starts_with("s@")) options.from_time = number(std::string_view(text).substr(2), 'o');
  else if (text.starts_with("e@")) options.until_time = number(std::string_view(text).substr(2), 'o');
  else if (text == "beginning" || text == "end" || text == "stored") options.offset = text;
  else options.offset = std::to_string(number(text, 'o'));
}

// -X list is kcat's way to ask what there is.
void set_property(CatOptions& options, std::string_view property) {
  if (property == "list") throw Failure{exit_usage, "kq config list shows what -X can set"};
  if (property.starts_with("topic.")) property.remove_prefix(6);
  options.common.properties.emplace_back(property);
}

bool set_flag(CatOptions& options, int flag, const std::string& value) {
  switch (flag) {
    case 'C': case 'P': case 'L': case 'Q': options.mode = static_cast<char>(flag); break;
    case 'G': options.mode = 'G', options.group = value; break;
    case 't': options.topics.push_back(value); break;
    case 'p': options.partition = static_cast<int32_t>(number(value, 'p')); break;
    case 'b': options.common.bootstrap = with_ports(value); break;
    case 'z': options.codec = value; break;
    case 'o': set_offset(options, value); break;
    case 'e': options.exit_at_end = true; break;
    case 'D': options.separator = typed(value, 'D'); break;
    case 'K': options.key_separator = typed(value, 'K'); break;
    case 'k': options.key = value; break;
    case 'H': options.headers.push_back(value); break;
    case 'O': options.offsets = true; break;
    case 'c': options.count = static_cast<uint64_t>(number(value, 'c')); break;
    case 'q': options.common.quiet = true; break;
    case 'F': options.common.config_file = value; break;
    case 'X': set_property(options, value); break;
    case 'm': options.common.timeout_ms = static_cast<int>(number(value, 'm')) * 1000; break;
    case 'T': options.tee = true; break;
    case 'u': options.unbuffered = true; break;
    case 'f': options.format = value; break;
    case 'J': options.json = true; break;
    case 'Z': options.nulls = true; break;
    case 'l': options.lines = true; break;
    case 'v': case 'E': case 'd': break;
    default: return false;
  }
  return true;
}

// ---- -L ----------------------------------------------------------------------------------------------------------------------

std::string nodes_text(const Rows& nodes) {
  std::string text;
  for (size_t i = 0; i < nodes.size(); ++i) text += (i ? "," : "") + std::to_string(nodes.int64(i, "node"));
  return text;
}

boost::json::array nodes_json(const Rows& nodes) {
  boost::json::array all;
  for (size_t i = 0; i < nodes.size(); ++i) all.push_back(boost::json::object{{"id", nodes.int64(i, "node")}});
  return all;
}

struct Listing {
  RowsOwner cluster, topics;
  const CatOptions& options;
  std::string origin() const {
    const Rows rows(cluster.get());
    const Rows nodes = rows.nested(0, "nodes");
    return nodes.size() ? fmt::format("{}:{}/{}", nodes.string(0, "host"), nodes.int64(0, "port"), nodes.int64(0, "node")) : "";
  }
};

void print_listing(const Listing& listing) {
  const Rows cluster(listing.cluster.get()), topics(listing.topics.get());
  const Rows nodes = cluster.nested(0, "nodes");
  print(fmt::format("Metadata for {} (from broker {}: {}):\n", listing.options.topics.empty() ? "all topics" : listing.options.topics.front(),
                    nodes.int64(0, "node"), listing.origin()));
  print(fmt::format(" {} brokers:\n", nodes.size()));
  for (size_t i = 0; i < nodes.size(); ++i)
    print(fmt::format("  broker {} at {}:{}{}\n", nodes.int64(i, "node"), nodes.string(i, "host"), nodes.int64(i, "port"),
                      nodes.int64(i, "node") == cluster.int64(0, "controller") ? " (controller)" : ""));
  print(fmt::format(" {} topics:\n", topics.size()));
  for (size_t i = 0; i < topics.size(); ++i) {
    const Rows partitions = topics.nested(i, "partitions");
    print(fmt::format("  topic \"{}\" with {} partitions:{}\n", topics.string(i, "topic"), partitions.size(),
                      topics.error(i) ? fmt::format(" {}", kq_error_name(topics.error(i))) : ""));
    for (size_t k = 0; k < partitions.size(); ++k)
      print(fmt::format("    partition {}, leader {}, replicas: {}, isrs: {}\n", partitions.int64(k, "partition"), partitions.int64(k, "leader"),
                        nodes_text(partitions.nested(k, "replicas")), nodes_text(partitions.nested(k, "isr"))));
  }
}

void print_listing_json(const Listing& listing) {
  const Rows cluster(listing.cluster.get()), topics(listing.topics.get());
  const Rows nodes = cluster.nested(0, "nodes");
  boost::json::array brokers, all;
  for (size_t i = 0; i < nodes.size(); ++i)
    brokers.push_back({{"id", nodes.int64(i, "node")}, {"name", fmt::format("{}:{}", nodes.string(i, "host"), nodes.int64(i, "port"))}});
  for (size_t i = 0; i < topics.size(); ++i) {
    boost::json::array numbered;
    const Rows partitions = topics.nested(i, "partitions");
    for (size_t k = 0; k < partitions.size(); ++k)
      numbered.push_back({{"partition", partitions.int64(k, "partition")},
                          {"leader", partitions.int64(k, "leader")},
                          {"replicas", nodes_json(partitions.nested(k, "replicas"))},
                          {"isrs", nodes_json(partitions.nested(k, "isr"))}});
    boost::json::object topic{{"topic", topics.string(i, "topic")}};
    if (topics.error(i)) topic["error"] = kq_error_message(topics.error(i));
    topic["partitions"] = std::move(numbered);
    all.push_back(std::move(topic));
  }
  const std::string asked = listing.options.topics.empty() ? "*" : listing.options.topics.front();
  const boost::json::object origin{{"id", nodes.int64(0, "node")}, {"name", listing.origin()}};
  print(boost::json::serialize(boost::json::object{{"originating_broker", origin},
                                                   {"query", boost::json::object{{"topic", asked}}},
                                                   {"controllerid", cluster.int64(0, "controller")},
                                                   {"brokers", brokers},
                                                   {"topics", all}}));
}

int list(const CatOptions& options) {
  const Admin admin = options.common.admin();
  Request request("describe_topics");
  for (const std::string& topic : options.topics) request.next().set("topic", topic);
  const Listing listing{Request("describe_cluster").run(admin.get(), options.common.timeout_ms), request.run(admin.get(), options.common.timeout_ms), options};
  if (options.json) print_listing_json(listing);
  else print_listing(listing);
  return exit_done;
}

// ---- -Q ----------------------------------------------------------------------------------------------------------------------

int query(const CatOptions& options) {
  Request request("list_offsets");
  for (const std::string& asked : options.topics) {
    const size_t time = asked.rfind(':'), partition = time == 0 || time == asked.npos ? asked.npos : asked.rfind(':', time - 1);
    if (partition == asked.npos || partition == 0) throw Failure{exit_usage, "-Q takes -t topic:partition:timestamp, not '" + asked + "'"};
    request.next()
        .set("topic", asked.substr(0, partition))
        .set("partition", number(std::string_view(asked).substr(partition + 1, time - partition - 1), 't'))
        .set("timestamp", number(std::string_view(asked).substr(time + 1), 't'));
  }
  if (options.topics.empty()) throw Failure{exit_usage, "-Q takes -t topic:partition:timestamp"};
  const RowsOwner answer = request.run(options.common.admin().get(), options.common.timeout_ms);
  const Rows rows(answer.get());
  boost::json::object all;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows.error(i)) continue;
    const std::string topic = rows.string(i, "topic");
    if (!options.json) print(fmt::format("{} [{}] offset {}\n", topic, rows.int64(i, "partition"), rows.int64(i, "offset")));
    auto& entry = all[topic].is_null() ? all[topic].emplace_object() : all[topic].get_object();
    entry["topic"] = topic;
    entry[std::to_string(rows.int64(i, "partition"))] = {{"partition", rows.int64(i, "partition")}, {"offset", rows.int64(i, "offset")}};
  }
  if (options.json) print(boost::json::serialize(all));
  return report(rows, "cat");
}

}  // namespace

std::optional<CatOptions> parse_cat(int argc, char** argv) {
  CatOptions options;
  options.common.timeout_ms = 5000;
  opterr = 0;
  for (int flag; (flag = getopt(argc, argv, ":PCG:LQt:p:b:z:o:eD:K:k:H:Od:qvEF:X:c:Tuf:JZlm:Vh")) != -1;) {
    if (flag == 'h' || (flag == '?' && optopt == 0 && optind > 1 && std::string_view(argv[optind - 1]) == "--help")) {
      print(help);
      return std::nullopt;
    }
    if (flag == 'V') {
      print(fmt::format("kq cat, of kq {}\n", kq_version()));
      return std::nullopt;
    }
    if (flag == ':') throw Failure{exit_usage, fmt::format("-{} takes a value", static_cast<char>(optopt))};
    if (!set_flag(options, flag, optarg ? optarg : "")) throw Failure{exit_usage, fmt::format("kq cat has no flag -{}; kq cat -h shows all", static_cast<char>(optopt))};
  }
  for (int i = optind; i < argc; ++i) options.rest.emplace_back(argv[i]);
  if (const char* file = getenv("KCAT_CONFIG"); file && options.common.config_file.empty()) options.common.config_file = file;
  if (!options.mode) options.mode = isatty(STDIN_FILENO) ? 'C' : 'P';
  return options;
}

int run_cat(const CatOptions& options) {
  const bool of_a_topic = options.mode == 'C' || options.mode == 'P';
  if (of_a_topic && options.topics.size() != 1) throw Failure{exit_usage, "one topic has to be named: -t topic"};
  if (options.mode == 'L') return list(options);
  if (options.mode == 'Q') return query(options);
  return options.mode == 'P' ? cat_produce(options) : cat_consume(options);
}

}  // namespace kq::cli
