#include "broker/log/checkpoint.hpp"

#include <algorithm>
#include <charconv>

#include "libkq/base/properties.hpp"

namespace kq::log {
namespace {

template <class Int>
std::optional<Int> parse_number(std::string_view text) {
  Int value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// A word, from the end of the line: topic names hold no blank, but this way nobody has to know.
std::string_view take_last_word(std::string_view& line) {
  const size_t blank = line.rfind(' ');
  const std::string_view word = blank == std::string_view::npos ? line : line.substr(blank + 1);
  line = blank == std::string_view::npos ? std::string_view{} : line.substr(0, blank);
  return word;
}

// `0`, the count, then that many lines; take_entry answers whether it understood one.
template <class TakeEntry>
Status parse_checkpoint(std::string_view text, TakeEntry take_entry) {
  if (take_line(text) != "0") return Error{own_code::data, "a checkpoint file does not begin with version 0"};
  const auto count = parse_number<size_t>(take_line(text));
  if (!count) return Error{own_code::data, "a checkpoint file has no count of entries"};
  for (size_t i = 0; i < *count; ++i) {
    const std::string_view line = take_line(text);
    if (!take_entry(line)) return Error{own_code::data, "a checkpoint file has the entry '" + std::string(line) + "'"};
  }
  return {};
}

// An absent file is no error: nothing.
Result<std::optional<std::string>> read_if_there(FileSystem& files, const std::string& path) {
  if (!files.exists(path)) return std::optional<std::string>{};
  KQ_TRY_ASSIGN(auto content, read_small_file(files, path));
  return std::optional<std::string>{std::move(content)};
}

std::string_view trim(std::string_view text) {
  constexpr const char* blanks = " \t\r\f";
  const size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace

std::optional<TopicPartition> TopicPartition::parse(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const auto partition = parse_number<int32_t>(name.substr(dash + 1));
  if (!partition || *partition < 0) return std::nullopt;
  TopicPartition parsed{std::string(name.substr(0, dash)), *partition};
  if (parsed.directory_name() != name) return std::nullopt;         // t-01 is none
  return parsed;
}

std::string format_offsets(const OffsetCheckpoint& offsets) {
  std::string text = "0\n" + std::to_string(offsets.size()) + "\n";
  for (const auto& [name, offset] : offsets) {
    text += name.topic + " " + std::to_string(name.partition) + " " + std::to_string(offset) + "\n";
  }
  return text;
}

Result<OffsetCheckpoint> parse_offsets(std::string_view text) {
  OffsetCheckpoint offsets;
  KQ_TRY(parse_checkpoint(text, [&](std::string_view line) {
    const auto offset = parse_number<int64_t>(take_last_word(line));
    const auto partition = parse_number<int32_t>(take_last_word(line));
    if (!offset || !partition || line.empty()) return false;
    offsets[TopicPartition{std::string(line), *partition}] = *offset;
    return true;
  }));
  return offsets;
}

std::string format_epochs(const std::vector<EpochEntry>& entries) {
  std::string text = "0\n" + std::to_string(entries.size()) + "\n";
  for (const EpochEntry& entry : entries) text += std::to_string(entry.epoch) + " " + std::to_string(entry.start_offset) + "\n";
  return text;
}

Result<std::vector<EpochEntry>> parse_epochs(std::string_view text) {
  std::vector<EpochEntry> entries;
  KQ_TRY(parse_checkpoint(text, [&](std::string_view line) {
    const auto start_offset = parse_number<int64_t>(take_last_word(line));
    const auto epoch = parse_number<int32_t>(line);
    if (!start_offset || !epoch || *epoch < 0 || *start_offset < 0) return false;
    entries.push_back({*epoch, *start_offset});
    return true;
  }));
  return entries;
}

Result<OffsetCheckpoint> read_offsets(FileSystem& files, const std::string& path) {
  KQ_TRY_ASSIGN(const auto text, read_if_there(files, path));
  if (!text) return OffsetCheckpoint{};
  auto offsets = parse_offsets(*text);
  if (!offsets) return std::move(offsets.error()).in(path);
  return offsets;
}

Status write_offsets(FileSystem& files, const std::string& path, const OffsetCheckpoint& offsets) {
  return replace_file(files, path, format_offsets(offsets));
}

Result<std::vector<EpochEntry>> read_epochs(FileSystem& files, const std::string& path) {
  KQ_TRY_ASSIGN(const auto text, read_if_there(files, path));
  if (!text) return std::vector<EpochEntry>{};
  auto entries = parse_epochs(*text);
  if (!entries) return std::move(entries.error()).in(path);
  return entries;
}

Result<std::optional<Uuid>> read_topic_id(FileSystem& files, const std::string& directory) {
  const std::string path = directory + "/" + checkpoint_file::partition_metadata;
  KQ_TRY_ASSIGN(const auto text, read_if_there(files, path));
  constexpr std::string_view key = "topic_id: ";
  const size_t whole = std::string_view("version: 0\n").size() + key.size() + Uuid{}.text().size();
  // Cut off, or never written over: what a power cut left of a new partition, whose first sync had not come.
  if (!text || text->size() < whole || text->find('\0') != std::string::npos) return std::optional<Uuid>{};
  std::string_view rest = *text;
  if (take_line(rest) == "version: 0" && rest.substr(0, key.size()) == key) {
    rest.remove_prefix(key.size());
    if (const auto id = Uuid::parse(trim(take_line(rest)))) return std::optional<Uuid>{*id};
  }
  return Error{own_code::data, path + " does not name a topic id"};
}

Status write_topic_id(FileSystem& files, const std::string& directory, const Uuid& id) {
  KQ_TRY_ASSIGN(const auto file, files.open(directory + "/" + checkpoint_file::partition_metadata, OpenMode::create));
  const std::string text = "version: 0\ntopic_id: " + id.text();
  return file->write_at(0, as_bytes(text));
}

namespace {

std::string taken(std::map<std::string, std::string>& properties, const char* key) {
  const auto found = properties.find(key);
  if (found == properties.end()) return {};
  std::string value = std::move(found->second);
  properties.erase(found);
  return value;
}

}  // namespace

Result<std::optional<MetaProperties>> read_meta_properties(FileSystem& files, const std::string& directory) {
  const std::string path = directory + "/" + checkpoint_file::meta_properties;
  KQ_TRY_ASSIGN(const auto text, read_if_there(files, path));
  if (!text) return std::optional<MetaProperties>{};
  auto lines = parse_properties(*text);
  if (!lines) return std::move(lines.error()).in(path);
  std::map<std::string, std::string> properties;
  for (auto& [key, value] : *lines) properties[std::move(key)] = std::move(value);
  const std::string version = taken(properties, "version");
  if (version == "0") return Error{own_code::data, path + " is of version 0, from before KRaft: migrate that cluster with Apache Kafka 3 first"};
  if (version != "1") return Error{own_code::data, path + " has version '" + version + "', where 1 is known"};
  MetaProperties meta;
  meta.cluster_id = taken(properties, "cluster.id");
  if (const std::string node = taken(properties, "node.id"); !node.empty()) {
    const auto id = parse_number<int32_t>(node);
    if (!id || *id < 0) return Error{own_code::data, path + " has node.id '" + node + "', which is no number"};
    meta.node_id = *id;
  }
  if (const std::string directory_id = taken(properties, "directory.id"); !directory_id.empty()) {
    const auto id = Uuid::parse(directory_id);
    if (!id) return Error{own_code::data, path + " has directory.id '" + directory_id + "', which is none"};
    meta.directory_id = *id;
  }
  meta.others = std::move(properties);
  return std::optional<MetaProperties>{std::move(meta)};
}

Status write_meta_properties(FileSystem& files, const std::string& directory, const MetaProperties& meta) {
  std::string text = "#\n";
  for (const auto& [key, value] : meta.others) text += key + "=" + value + "\n";
  if (meta.node_id >= 0) text += "node.id=" + std::to_string(meta.node_id) + "\n";
  if (!meta.directory_id.is_zero()) text += "directory.id=" + meta.directory_id.text() + "\n";
  text += "version=1\ncluster.id=" + meta.cluster_id + "\n";
  return replace_file(files, directory + "/" + checkpoint_file::meta_properties, text);
}

// {"version":0,"brokerEpoch":108}.  Whatever else it may hold, that it is there is what counts.
Result<std::optional<CleanShutdown>> read_clean_shutdown(FileSystem& files, const std::string& directory) {
  KQ_TRY_ASSIGN(const auto text, read_if_there(files, directory + "/" + checkpoint_file::clean_shutdown));
  if (!text) return std::optional<CleanShutdown>{};
  CleanShutdown left;
  constexpr std::string_view key = "\"brokerEpoch\":";
  if (const size_t at = text->find(key); at != std::string::npos) {
    std::string_view number = std::string_view(*text).substr(at + key.size());
    left.broker_epoch = parse_number<int64_t>(trim(number.substr(0, number.find_first_of(",}")))).value_or(-1);
  }
  return std::optional<CleanShutdown>{left};
}

Status write_clean_shutdown(FileSystem& files, const std::string& directory, const CleanShutdown& left) {
  return replace_file(files, directory + "/" + checkpoint_file::clean_shutdown,
                      "{\"version\":0,\"brokerEpoch\":" + std::to_string(left.broker_epoch) + "}");
}

Status remove_clean_shutdown(FileSystem& files, const std::string& directory) {
  KQ_TRY(files.remove(directory + "/" + checkpoint_file::clean_shutdown));
  return files.sync_directory(directory);
}

}  // namespace kq::log
