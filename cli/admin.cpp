// kq admin: any operation of kq.h's table, by its own names.
#include <fmt/format.h>

#include <charconv>

#include "cli/command.hpp"
#include "cli/table.hpp"

namespace kq::cli {
namespace {

struct AdminOptions {
  std::string operation;
  std::vector<std::string> words;
  bool explain = false;
};

const kq_field* find_parameter(const std::string& operation, std::string_view name) {
  for (size_t i = 0; const kq_field* field = kq_operation_parameter(operation.c_str(), i); ++i)
    if (name == field->name) return field;
  return nullptr;
}

int list_operations(const Common& common) {
  Table table({{"operation"}, {"meaning"}});
  for (size_t i = 0; const char* name = kq_operation_name(i); ++i) table.add({name, kq_operation_doc(name)});
  table.print(common.output);
  return exit_done;
}

const char* type_name(char type) { return type == 's' ? "string" : type == 'i' ? "int" : type == 'b' ? "bytes" : "rows"; }

int explain(const Common& common, const std::string& operation) {
  Table table({{"field"}, {"kind"}, {"type"}, {"default"}, {"meaning"}});
  for (size_t i = 0; const kq_field* field = kq_operation_parameter(operation.c_str(), i); ++i) {
    const std::string kind = fmt::format("{}{}{}", field->per_item ? "item" : "request", field->repeated ? ", repeated" : "",
                                         field->nullable ? ", optional" : "");
    boost::json::value value;
    if (field->default_value) value = field->default_value;
    table.add({field->name, kind.c_str(), type_name(field->type), value, field->doc});
  }
  for (size_t i = 0; const kq_field* field = kq_operation_column(operation.c_str(), i); ++i)
    table.add({field->name, field->nullable ? "answer, optional" : "answer", type_name(field->type), nullptr, field->doc});
  table.print(common.output);
  return exit_done;
}

void set_parameter(Request& request, const std::string& operation, const std::string& word) {
  const size_t equals = word.find('=');
  if (equals == std::string::npos) throw Failure{exit_usage, "a parameter is name=value, not '" + word + "'"};
  const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
  const kq_field* field = find_parameter(operation, name);
  int64_t number = 0;
  if (!field || field->type != 'i') {
    request.set(name.c_str(), value);  // which says what there is, where there is none of that name
    return;
  }
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure != std::errc{} || end != value.data() + value.size()) throw Failure{exit_usage, name + " is a number, not '" + value + "'"};
  request.set(name.c_str(), number);
}

// The columns below a path: "" or "partitions.".
std::vector<const kq_field*> columns_below(const std::string& operation, const std::string& path) {
  std::vector<const kq_field*> columns;
  for (size_t i = 0; const kq_field* field = kq_operation_column(operation.c_str(), i); ++i) {
    const std::string_view name = field->name;
    if (name.starts_with(path) && name.find('.', path.size()) == name.npos) columns.push_back(field);
  }
  return columns;
}

boost::json::value cell(const kq_rows* rows, size_t row, const kq_field& field, const char* name) {
  if (field.type == 'i') {
    const int64_t number = kq_rows_int64(rows, row, name);
    return number == INT64_MIN ? boost::json::value() : boost::json::value(number);
  }
  const char* text = kq_rows_string(rows, row, name);
  return text ? boost::json::value(text) : boost::json::value();
}

boost::json::object error_json(const kq_error* error) {
  return {{"code", kq_error_code(error)}, {"name", kq_error_name(error)}, {"message", kq_error_message(error)}};
}

boost::json::array rows_json(const std::string& operation, const kq_rows* rows, const std::string& path) {
  const auto columns = columns_below(operation, path);
  boost::json::array all;
  for (size_t row = 0; row < kq_rows_count(rows); ++row) {
    boost::json::object object;
    for (const kq_field* field : columns) {
      const char* name = field->name + path.size();
      object[name] = field->type == 'r' ? boost::json::value(rows_json(operation, kq_rows_nested(rows, row, name), field->name + std::string(".")))
                                        : cell(rows, row, *field, name);
    }
    if (const kq_error* error = kq_rows_error(rows, row)) object["error"] = error_json(error);
    all.push_back(std::move(object));
  }
  return all;
}

// Nested rows are told by their number here; JSON has them.
void print_rows(const Common& common, const std::string& operation, const kq_rows* rows) {
  const auto columns = columns_below(operation, "");
  std::vector<Table::Column> heads;
  for (const kq_field* field : columns) heads.push_back({field->name, field->type != 's'});
  Table table(heads);
  for (size_t row = 0; row < kq_rows_count(rows); ++row) {
    if (kq_rows_error(rows, row)) continue;
    std::vector<boost::json::value> cells;
    for (const kq_field* field : columns)
      cells.push_back(field->type == 'r' ? boost::json::value(kq_rows_count(kq_rows_nested(rows, row, field->name)))
                                         : cell(rows, row, *field, field->name));
    table.add(std::move(cells));
  }
  table.print(common.output);
}

int run(const Common& common, const AdminOptions& options) {
  if (options.operation.empty()) return list_operations(common);
  if (!kq_operation_doc(options.operation.c_str()))
    throw Failure{exit_usage, "there is no operation '" + options.operation + "'; 'kq admin' lists them"};
  if (options.explain) return explain(common, options.operation);
  Request request(options.operation.c_str());
  for (const std::string& word : options.words) {
    if (word == "+") request.item();
    else set_parameter(request, options.operation, word);
  }
  const RowsOwner answer = request.run(common.admin().get(), common.timeout_ms);
  if (for_json(common.output)) print_json(rows_json(options.operation, answer.get(), ""));
  else print_rows(common, options.operation, answer.get());
  return report(Rows(answer.get()), options.operation);
}

}  // namespace

void add_admin(const Commands& commands) {
  auto options = std::make_shared<AdminOptions>();
  CLI::App* app = commands.root.add_subcommand("admin", "Run any operation of administration by its own name")->fallthrough();
  app->add_option("operation", options->operation, "Its name (default: list them all)");
  app->add_option("parameter", options->words, "name=value; a plus sign alone starts the next item");
  app->add_flag("--explain", options->explain, "Show its parameters and the columns of its answer, and do nothing");
  app->footer(
      "Rows in rows are shown by -o json.\n\n"
      "Examples:\n"
      "  kq admin\n"
      "  kq admin describe_quorum -o json\n"
      "  kq admin alter_partition_reassignments --explain\n"
      "  kq admin elect_leaders topic=orders partition=0 + topic=orders partition=1");
  app->callback([=, &common = commands.common, &action = commands.action] { action = [=, &common] { return run(common, *options); }; });
}

}  // namespace kq::cli
