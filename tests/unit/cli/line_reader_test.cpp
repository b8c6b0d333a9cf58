#include "cli/line_reader.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "cli/handles.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq::cli;

// A file that is gone at the end of the test.
struct TemporaryFile {
  std::string path;
  explicit TemporaryFile(const std::string& content) {
    char name[] = "/tmp/kq-line-reader-XXXXXX";
    close(mkstemp(name));
    path = name;
    std::ofstream(path, std::ios::binary) << content;
  }
  ~TemporaryFile() { unlink(path.c_str()); }
};

static std::vector<std::string> all_lines(std::vector<std::string> paths) {
  LineReader reader(std::move(paths));
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  return lines;
}

static void every_line_is_there_once_across_files(void**) {
  const TemporaryFile one("a\n\nc"), none(""), two("d\ne\n");
  const auto lines = all_lines({one.path, none.path, two.path});
  assert_true((lines == std::vector<std::string>{"a", "", "c", "d", "e"}));
}

static void lines_longer_than_the_buffer_come_whole(void**) {
  std::vector<std::string> wanted;
  std::string content;
  for (const size_t length : {0u, 1u, 262143u, 262144u, 262145u, 1000000u, 3u}) {
    wanted.emplace_back(length, static_cast<char>('a' + length % 26));
    content += wanted.back() + "\n";
  }
  const TemporaryFile file(content);
  assert_true(all_lines({file.path}) == wanted);
  const TemporaryFile unfinished(content.substr(0, content.size() - 1));
  assert_true(all_lines({unfinished.path}) == wanted);
}

static void a_last_line_that_fills_the_buffer_needs_no_line_feed(void**) {
  const TemporaryFile file(std::string(262144, 'x'));
  const auto lines = all_lines({file.path});
  assert_int_equal(lines.size(), 1);
  assert_int_equal(lines[0].size(), 262144);
}

static void the_place_names_file_and_line(void**) {
  const TemporaryFile file("a\nb\n");
  LineReader reader({file.path});
  reader.next();
  reader.next();
  assert_string_equal(reader.place().c_str(), (file.path + ":2").c_str());
  assert_int_equal(reader.bytes_total(), 4);
}

static void a_file_that_is_not_there_is_an_input_error(void**) {
  int status = exit_done;
  try {
    all_lines({"/nowhere/at/all"});
  } catch (const Failure& failure) {
    status = failure.status;
  }
  assert_int_equal(status, exit_io);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_line_is_there_once_across_files),
      cmocka_unit_test(lines_longer_than_the_buffer_come_whole),
      cmocka_unit_test(a_last_line_that_fills_the_buffer_needs_no_line_feed),
      cmocka_unit_test(the_place_names_file_and_line),
      cmocka_unit_test(a_file_that_is_not_there_is_an_input_error),
  };
  return cmocka_run_group_tests_name("cli.line_reader", tests, nullptr, nullptr);
}
