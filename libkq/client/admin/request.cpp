#include "libkq/client/admin/request.hpp"

#include <algorithm>
#include <cstdlib>

#include "libkq/client/admin/operation.hpp"

namespace kq::client::admin {
namespace {

const kq_field* find(std::span<const kq_field> fields, std::string_view name) {
  const auto found = std::ranges::find_if(fields, [&](const kq_field& field) { return name == field.name; });
  return found != fields.end() ? &*found : nullptr;
}

std::string names_of(std::span<const kq_field> fields) {
  std::string names;
  for (const kq_field& field : fields) names += (names.empty() ? "" : ", ") + std::string(field.name);
  return names.empty() ? "no parameters" : names;
}

const char* type_name(char type) { return type == 's' ? "a string" : type == 'i' ? "an int64" : "bytes"; }

}  // namespace

Status Request::set(std::string_view name, char type, Value value) {
  const kq_field* field = find(operation_->parameters, name);
  const auto refused = [&](const std::string& why) { return Error(own_code::argument, std::string(operation_->name) + ": " + why); };
  if (!field) return refused("there is no parameter '" + std::string(name) + "'; it has " + names_of(operation_->parameters));
  if (field->type != type) return refused("parameter '" + std::string(name) + "' is " + type_name(field->type) + ", not " + type_name(type));
  auto& values = (field->per_item ? items_.back() : whole_)[field->name];
  if (!field->repeated) values.clear();
  values.push_back(std::move(value));
  return {};
}

Status Request::check() const {
  KQ_TRY(check(whole_, false));
  if (count() == 0 && operation_->items_optional) return {};
  for (const Values& item : items_) KQ_TRY(check(item, true));
  return {};
}

Status Request::check(const Values& values, bool per_item) const {
  for (const kq_field& field : operation_->parameters) {
    const bool needed = field.per_item == per_item && !field.nullable && !field.repeated && !field.default_value;
    if (needed && !values.contains(field.name))
      return Error(own_code::argument, std::string(operation_->name) + ": parameter '" + field.name + "' is not set");
  }
  return {};
}

int64_t Request::int64_in(const Values& values, std::string_view name) const {
  if (const auto found = values.find(name); found != values.end()) return std::get<int64_t>(found->second.front());
  const kq_field* field = find(operation_->parameters, name);
  KQ_CHECK(field && field->type == 'i' && field->default_value);
  return std::strtoll(field->default_value, nullptr, 10);
}

std::string_view Request::string_in(const Values& values, std::string_view name) const {
  if (const auto found = values.find(name); found != values.end()) return std::get<std::string>(found->second.front());
  const kq_field* field = find(operation_->parameters, name);
  KQ_CHECK(field && field->type == 's' && field->default_value);
  return field->default_value;
}

std::optional<std::string_view> Request::string_or_null_in(const Values& values, std::string_view name) {
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return std::get<std::string>(found->second.front());
}

std::optional<int64_t> Request::int64_or_null(size_t item, std::string_view name) const {
  const auto found = items_[item].find(name);
  if (found == items_[item].end()) return std::nullopt;
  return std::get<int64_t>(found->second.front());
}

std::vector<std::string_view> Request::strings_in(const Values& values, std::string_view name) {
  std::vector<std::string_view> strings;
  if (const auto found = values.find(name); found != values.end())
    for (const Value& value : found->second) strings.push_back(std::get<std::string>(value));
  return strings;
}

std::vector<int64_t> Request::int64s(std::string_view name) const {
  std::vector<int64_t> numbers;
  if (const auto found = whole_.find(name); found != whole_.end())
    for (const Value& value : found->second) numbers.push_back(std::get<int64_t>(value));
  return numbers;
}

}  // namespace kq::client::admin
