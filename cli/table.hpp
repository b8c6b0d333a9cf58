// Rows on the standard output: an aligned table on a terminal, tab-separated lines in a pipe, or JSON.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace kq::cli {

class Table {
 public:
  struct Column {
    std::string name;  // of the JSON field; the heading is the same in capitals, without underscores
    bool right_aligned = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // A row's cells: what JSON shows (strings, numbers, arrays).  Null is an empty cell.
  void add(std::vector<boost::json::value> cells) { rows_.push_back(std::move(cells)); }
  void print(Output output) const;
  boost::json::array json() const;

 private:
  void print_aligned(bool heading) const;
  void print_tabs() const;

  std::vector<Column> columns_;
  std::vector<std::vector<boost::json::value>> rows_;
};

// Is that what a person looks at?  `automatic` is a table on a terminal and tab-separated in a pipe.
bool for_terminal(Output output);
bool for_json(Output output);

// Writes to the standard output; a closed pipe ends the command quietly, any other failure is one.
void print(std::string_view text);
void flush();
void print_json(const boost::json::value& value);
// To the standard error, unless --quiet.
void note(const Common& common, const std::string& line);

}  // namespace kq::cli
