// kq_rows: what every administrative operation answers with.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libkq/client/error.hpp"

// Rows of the columns of a table of kq_field, or of those below a column with nested rows.  Filled by one story, then never changed.
struct kq_rows {
 public:
  class Row {
   public:
    Row(const kq_rows& rows) : rows_(&rows), cells_(rows.columns_.size()) {}

    // KQ_CHECKs that the table has such a column.
    Row& set(std::string_view column, int64_t value);
    Row& set(std::string_view column, std::string_view value);
    Row& set(std::string_view column, const char* value) { return set(column, std::string_view(value)); }
    Row& set(std::string_view column, const std::string& value) { return set(column, std::string_view(value)); }
    Row& set(std::string_view column, const std::optional<std::string_view>& value) { return value ? set(column, *value) : *this; }
    kq_rows& nested(std::string_view column);        // made empty where there is none
    Row& fail(const kq::Error& error) { return error_ = std::make_unique<kq_error>(kq_error::of(error)), *this; }
    Row& succeed() { return error_.reset(), *this; }

   private:
    friend struct ::kq_rows;
    using Cell = std::variant<std::monostate, int64_t, std::string, std::unique_ptr<kq_rows>>;
    Cell& cell(std::string_view column, char type);

    const kq_rows* rows_;
    std::vector<Cell> cells_;
    std::unique_ptr<kq_error> error_;
  };

  explicit kq_rows(const char* operation, std::span<const kq_field> columns) : operation_(operation), columns_(columns) {}
  kq_rows(const kq_rows&) = delete;

  Row& add() { return *rows_.emplace_back(std::make_unique<Row>(*this)); }
  Row& at(size_t row) { return *rows_[row]; }

  size_t count() const { return rows_.size(); }
  const kq_error* error(size_t row) const { return row < rows_.size() ? rows_[row]->error_.get() : nullptr; }
  // nullptr: null, no such row, no such column, or of another type.
  const int64_t* int64(size_t row, std::string_view column) const { return get<int64_t>(row, column, 'i'); }
  const std::string* string(size_t row, std::string_view column) const { return get<std::string>(row, column, 's'); }
  const std::string* bytes(size_t row, std::string_view column) const { return get<std::string>(row, column, 'b'); }
  const kq_rows* nested(size_t row, std::string_view column) const;

  // All of it as JSON: an array of objects.  Made when it is first asked for, and kept.
  const std::string& json() const;

  const char* operation() const { return operation_; }
  uint64_t tag = 0;
  std::unique_ptr<kq_error> failure{};               // of the whole request

 private:
  // Where a column is; those of nested rows have the path of theirs in front, "partitions.leader".
  std::optional<size_t> index_of(std::string_view column, char type) const;
  template <class T>
  const T* get(size_t row, std::string_view column, char type) const;

  void print(std::string& to) const;
  static void print(const kq_error&, std::string& to);

  const char* operation_;
  std::span<const kq_field> columns_;
  std::string path_{};                               // "" or "partitions."
  std::vector<std::unique_ptr<Row>> rows_;
  mutable std::string json_;
};
