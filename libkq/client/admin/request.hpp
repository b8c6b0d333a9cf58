// A request for administration: parameters by name, of the whole and of each item.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libkq/base/result.hpp"

namespace kq::client::admin {

struct Operation;

// Setters check name and type against the operation's table.  One thread at a time.
class Request {
 public:
  using Value = std::variant<int64_t, std::string>;
  using Values = std::map<std::string_view, std::vector<Value>>;     // by the table's name; one value, unless it may be repeated

  explicit Request(const Operation& operation) : operation_(&operation), items_(1) {}

  const Operation& operation() const { return *operation_; }
  void next_item() { items_.emplace_back(); }
  Status set(std::string_view name, char type, Value value);
  // Whether everything that must be set is.
  Status check() const;

  size_t count() const { return items_.size() == 1 && items_.front().empty() ? 0 : items_.size(); }   // of items
  // What was set, or the default.  KQ_CHECKs that the table has it.
  int64_t int64(std::string_view name) const { return int64_in(whole_, name); }
  std::string_view string(std::string_view name) const { return string_in(whole_, name); }
  int64_t int64(size_t item, std::string_view name) const { return int64_in(items_[item], name); }
  std::string_view string(size_t item, std::string_view name) const { return string_in(items_[item], name); }
  std::optional<std::string_view> string_or_null(std::string_view name) const { return string_or_null_in(whole_, name); }
  std::optional<std::string_view> string_or_null(size_t item, std::string_view name) const { return string_or_null_in(items_[item], name); }
  std::optional<int64_t> int64_or_null(size_t item, std::string_view name) const;
  std::vector<std::string_view> strings(std::string_view name) const { return strings_in(whole_, name); }
  std::vector<std::string_view> strings(size_t item, std::string_view name) const { return strings_in(items_[item], name); }
  std::vector<int64_t> int64s(std::string_view name) const;

 private:
  Status check(const Values&, bool per_item) const;
  int64_t int64_in(const Values&, std::string_view name) const;
  std::string_view string_in(const Values&, std::string_view name) const;
  static std::optional<std::string_view> string_or_null_in(const Values&, std::string_view name);
  static std::vector<std::string_view> strings_in(const Values&, std::string_view name);

  const Operation* operation_;
  Values whole_;
  std::vector<Values> items_;
};

}  // namespace kq::client::admin
