#include "cli/table.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace kq::cli {
namespace {

// How a cell reads: arrays with commas, as Kafka's tools write them.
std::string shown(const boost::json::value& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_array()) return boost::json::serialize(value);
  std::string text;
  for (const auto& element : value.get_array()) text += (text.empty() ? "" : ",") + shown(element);
  return text;
}

std::string heading_of(const std::string& name) {
  std::string heading = name;
  for (char& letter : heading) letter = letter == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return heading;
}

// How many columns of a terminal a UTF-8 text takes, near enough: one for each code point.
size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }));
}

void written(bool well) {
  if (well) return;
  if (errno == EPIPE) throw Failure{exit_done, ""};
  throw Failure{exit_io, std::string("the output cannot be written: ") + strerror(errno)};
}

}  // namespace

bool for_terminal(Output output) { return output == Output::table || (output == Output::automatic && isatty(STDOUT_FILENO)); }
bool for_json(Output output) { return output == Output::json; }

void print(std::string_view text) { written(fwrite(text.data(), 1, text.size(), stdout) == text.size()); }
void flush() { written(fflush(stdout) == 0); }

void print_json(const boost::json::value& value) { print(boost::json::serialize(value) + "\n"); }

void note(const Common& common, const std::string& line) {
  if (!common.quiet) fmt::print(stderr, "{}\n", line);
}

boost::json::array Table::json() const {
  boost::json::array array;
  for (const auto& row : rows_) {
    boost::json::object object;
    for (size_t i = 0; i < columns_.size(); ++i) object[columns_[i].name] = row[i];
    array.push_back(std::move(object));
  }
  return array;
}

void Table::print(Output output) const {
  if (for_json(output)) {
    print_json(json());
  } else if (for_terminal(output)) {
    print_aligned(true);
  } else {
    print_tabs();
  }
}

void Table::print_tabs() const {
  for (const auto& row : rows_) {
    std::string line;
    for (const auto& cell : row) line += (line.empty() ? "" : "\t") + shown(cell);
    cli::print(line + "\n");
  }
}

void Table::print_aligned(bool heading) const {
  std::vector<std::vector<std::string>> lines;
  if (heading) {
    lines.emplace_back();
    for (const Column& column : columns_) lines.back().push_back(heading_of(column.name));
  }
  for (const auto& row : rows_) {
    lines.emplace_back();
    for (const auto& cell : row) lines.back().push_back(shown(cell));
  }
  std::vector<size_t> widths(columns_.size());
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - width(line[i]), ' ');
      text += columns_[i].right_aligned ? padding + line[i] : line[i] + padding;
      if (i + 1 < line.size()) text += "  ";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    cli::print(text + "\n");
  }
}

}  // namespace kq::cli
