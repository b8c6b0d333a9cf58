#include "cli/record_format.hpp"

#include "cli/handles.hpp"
#include "cli/text.hpp"

namespace kq::cli {
namespace {
constexpr std::string_view fields = "tpoeTdkvKVh";
}

RecordFormat::RecordFormat(std::string_view format, std::string null_text) : null_text_(std::move(null_text)) {
  const auto text = unescape(format);
  if (!text) throw Failure{exit_usage, "--format has an unknown escape; known are \\n \\t \\r \\0 \\\\ \\xHH"};
  std::string plain;
  for (size_t at = 0; at < text->size(); ++at) {
    if ((*text)[at] != '%') {
      plain += (*text)[at];
      continue;
    }
    const char field = ++at < text->size() ? (*text)[at] : '\0';
    if (field == '%') {
      plain += '%';
    } else if (fields.find(field) != std::string_view::npos && field != '\0') {
      if (!plain.empty()) pieces_.push_back({'\0', std::move(plain)});
      plain.clear();
      pieces_.push_back({field, ""});
    } else {
      throw Failure{exit_usage,
                    std::string("--format does not know %") + field + "; known are %t %p %o %e %T %d %k %v %K %V %h %%"};
    }
  }
  if (!plain.empty()) pieces_.push_back({'\0', std::move(plain)});
}

void RecordFormat::append(std::string& out, const kq_record& record) const {
  for (const Piece& piece : pieces_) {
    if (piece.field == '\0') {
      out += piece.text;
    } else {
      append_field(out, piece.field, record);
    }
  }
}

void RecordFormat::append_bytes(std::string& out, const void* data, size_t length) const {
  if (data) {
    out.append(static_cast<const char*>(data), length);
  } else {
    out += null_text_;
  }
}

void RecordFormat::append_field(std::string& out, char field, const kq_record& record) const {
  switch (field) {
    case 't': out += record.topic; break;
    case 'p': out += std::to_string(record.partition); break;
    case 'o': out += std::to_string(record.offset); break;
    case 'e': out += std::to_string(record.leader_epoch); break;
    case 'T': out += std::to_string(record.timestamp_ms); break;
    case 'd': out += iso_time(record.timestamp_ms); break;
    case 'k': append_bytes(out, record.key, record.key_len); break;
    case 'v': append_bytes(out, record.value, record.value_len); break;
    case 'K': out += record.key ? std::to_string(record.key_len) : "-1"; break;
    case 'V': out += record.value ? std::to_string(record.value_len) : "-1"; break;
    case 'h':
      for (size_t i = 0; i < record.header_count; ++i) {
        if (i) out += ',';
        out.append(record.headers[i].key, record.headers[i].key_len) += '=';
        append_bytes(out, record.headers[i].value, record.headers[i].value_len);
      }
      break;
    default: break;
  }
}

}  // namespace kq::cli
