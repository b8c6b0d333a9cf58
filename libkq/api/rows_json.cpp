// Rows as JSON.
#include "libkq/client/admin/rows.hpp"

static void print_text(std::string_view text, std::string& to) {
  static constexpr char digits[] = "0123456789abcdef";
  to += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      to += '\\', to += c;
    else if (byte >= 0x20)
      to += c;
    else
      to += "\\u00", to += digits[byte >> 4], to += digits[byte & 15];
  }
  to += '"';
}

const std::string& kq_rows::json() const {
  if (json_.empty()) print(json_);
  return json_;
}

void kq_rows::print(const kq_error& error, std::string& to) {
  to += "\"error\":{\"code\":" + std::to_string(error.code) + ",\"name\":";
  print_text(kq_code_name(error.code), to);
  to += ",\"message\":";
  print_text(error.message, to);
  to += '}';
}

void kq_rows::print(std::string& to) const {
  to += '[';
  for (const auto& row : rows_) {
    if (to.back() == '}') to += ',';
    to += '{';
    for (size_t i = 0; i < columns_.size(); ++i) {
      std::string_view name = columns_[i].name;
      if (!name.starts_with(path_)) continue;
      name.remove_prefix(path_.size());
      if (name.find('.') != name.npos) continue;
      if (to.back() != '{') to += ',';
      print_text(name, to);
      to += ':';
      const auto& cell = row->cells_[i];
      if (const auto* number = std::get_if<int64_t>(&cell))
        to += std::to_string(*number);
      else if (const auto* text = std::get_if<std::string>(&cell))
        print_text(*text, to);
      else if (const auto* nested = std::get_if<std::unique_ptr<kq_rows>>(&cell))
        (*nested)->print(to);
      else
        to += columns_[i].type == 'r' ? "[]" : "null";
    }
    if (row->error_ && to.back() != '{') to += ',';
    if (row->error_) print(*row->error_, to);
    to += '}';
  }
  to += ']';
}
