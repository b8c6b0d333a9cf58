// What `kq consume --format` prints of a record.
#pragma once

#include <kq/kq.h>

#include <string>
#include <string_view>
#include <vector>

namespace kq::cli {

// A format, parsed once:
//   %t topic   %p partition   %o offset   %e leader epoch   %T timestamp, ms   %d timestamp, ISO 8601
//   %k key     %v value       %K length of the key (-1: null)   %V length of the value   %h headers a=b,c=d   %% a percent sign
// and \n \t \r \0 \\ \xHH.
class RecordFormat {
 public:
  // Throws Failure where the format is not understood.
  RecordFormat(std::string_view format, std::string null_text);
  void append(std::string& out, const kq_record& record) const;

 private:
  struct Piece {
    char field;  // '\0': the text
    std::string text;
  };
  void append_field(std::string& out, char field, const kq_record& record) const;
  void append_bytes(std::string& out, const void* data, size_t length) const;

  std::vector<Piece> pieces_;
  std::string null_text_;
};

}  // namespace kq::cli
