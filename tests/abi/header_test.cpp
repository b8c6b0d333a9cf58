// kq.h as pedantic C++, twice in one unit; and that kq.h's table of operations says what the library says.
#include <kq/kq.h>
#include <kq/kq.h>

#include <fstream>
#include <iostream>
#include <regex>
#include <sstream>
#include <string>

static std::string read(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// "partitions[partition:i replicas[node:i]]" as "partitions:r partitions.partition:i partitions.replicas:r …".
static std::string flattened(const std::string& columns) {
  static const std::regex word(R"((\w+)(\[|:(\w)(\?)?)|\])");
  std::string out, path;
  for (std::sregex_iterator at(columns.begin(), columns.end(), word), end; at != end; ++at) {
    const std::smatch& match = *at;
    if (match.str() == "]") {
      path.resize(path.size() - 1);
      path.resize(path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
    } else if (match.str(2) == "[") {
      out += path + match.str(1) + ":r ";
      path += match.str(1) + ".";
    } else {
      out += path + match.str(1) + ":" + match.str(3) + match.str(4) + " ";
    }
  }
  return out;
}

static std::string columns_of(const char* operation) {
  std::string out;
  for (size_t i = 0; const kq_field* field = kq_operation_column(operation, i); ++i)
    out += std::string(field->name) + ":" + field->type + (field->nullable ? "? " : " ");
  return out;
}

// As the header writes them: "validate_only:i=0 | topic:s partitions:i=-1 config:s=..."
static std::string parameters_of(const char* operation) {
  std::string whole, item;
  for (size_t i = 0; const kq_field* field = kq_operation_parameter(operation, i); ++i) {
    std::string& to = field->per_item ? item : whole;
    if (!to.empty()) to += " ";
    to += std::string(field->name) + ":" + field->type;
    if (field->repeated) to += "=...";
    else if (field->default_value) to += std::string("=") + field->default_value;
    else if (field->nullable) to += "?";
  }
  if (item.empty()) return whole;
  return whole + (whole.empty() ? "| " : " | ") + item;
}

static int failed = 0;
static void expect_same(const std::string& what, const std::string& header, const std::string& library) {
  if (header == library) return;
  ++failed;
  std::cerr << what << "\n  header:  " << header << "\n  library: " << library << '\n';
}

int main(int, char** argv) {
  const std::string header = read(argv[1]);
  size_t seen = 0;
  const std::regex table(R"( \*   (\w+)\n \*     in *([^\n]*)\n \*     out  ([^\n]*)((?:\n \*          +\w+\[[^\n]*|\n \*           +[^\n]*)*))");
  for (std::sregex_iterator at(header.begin(), header.end(), table), end; at != end; ++at, ++seen) {
    const std::string operation = at->str(1);
    std::string in = at->str(2);
    if (const size_t note = in.find("   ("); note != std::string::npos) in.resize(note);
    expect_same(operation + " in", in, parameters_of(operation.c_str()));
    expect_same(operation + " out", flattened(at->str(3) + at->str(4)), columns_of(operation.c_str()));
  }
  expect_same("operations", std::to_string(seen), std::to_string(kq_operation_count()));
  std::cout << seen << " operations compared, " << failed << " differ\n";
  return failed > 0;
}
