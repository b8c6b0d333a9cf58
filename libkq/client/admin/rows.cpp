#include "libkq/client/admin/rows.hpp"

#include "libkq/base/check.hpp"

std::optional<size_t> kq_rows::index_of(std::string_view column, char type) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string_view name = columns_[i].name;
    if (name.size() == path_.size() + column.size() && name.starts_with(path_) && name.ends_with(column) && columns_[i].type == type)
      return i;
  }
  return std::nullopt;
}

template <class T>
const T* kq_rows::get(size_t row, std::string_view column, char type) const {
  const auto index = index_of(column, type);
  return index && row < rows_.size() ? std::get_if<T>(&rows_[row]->cells_[*index]) : nullptr;
}
template const int64_t* kq_rows::get<int64_t>(size_t, std::string_view, char) const;
template const std::string* kq_rows::get<std::string>(size_t, std::string_view, char) const;

const kq_rows* kq_rows::nested(size_t row, std::string_view column) const {
  const auto* rows = get<std::unique_ptr<kq_rows>>(row, column, 'r');
  return rows ? rows->get() : nullptr;
}

kq_rows::Row::Cell& kq_rows::Row::cell(std::string_view column, char type) {
  const auto index = rows_->index_of(column, type);
  KQ_CHECK(index);
  return cells_[*index];
}

kq_rows::Row& kq_rows::Row::set(std::string_view column, int64_t value) { return cell(column, 'i') = value, *this; }
kq_rows::Row& kq_rows::Row::set(std::string_view column, std::string_view value) {
  return cell(column, 's') = std::string(value), *this;
}

kq_rows& kq_rows::Row::nested(std::string_view column) {
  Cell& here = cell(column, 'r');
  if (auto* rows = std::get_if<std::unique_ptr<kq_rows>>(&here)) return **rows;
  auto rows = std::make_unique<kq_rows>(rows_->operation_, rows_->columns_);
  rows->path_ = rows_->path_ + std::string(column) + ".";
  return *(here = std::move(rows), std::get<std::unique_ptr<kq_rows>>(here));
}
