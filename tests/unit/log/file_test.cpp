// The real disk, and the bound on open files.
#include "broker/log/file.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "broker/log/file_cache.hpp"
#include "tests/sim/memory_file_system.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;

namespace {

struct Directory {
  Directory() {
    path = (std::filesystem::temp_directory_path() / "kq-file-XXXXXX").string();
    if (!mkdtemp(path.data())) std::abort();
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

void what_is_written_is_read(void**) {
  const Directory in;
  FileSystem& files = real_file_system();
  auto file = files.open(in.path + "/f", OpenMode::create);
  assert_true(file.ok());
  const Bytes pieces[] = {as_bytes("one"), as_bytes(""), as_bytes("two"), as_bytes("three")};
  assert_true((*file)->write_at(2, pieces).ok());
  assert_int_equal(*(*file)->size(), 13);
  assert_int_equal(*files.size(in.path + "/f"), 13);
  std::byte into[20];
  assert_int_equal(*(*file)->read_at(0, into), 13);
  assert_memory_equal(into, "\0\0onetwothree", 13);
  assert_int_equal(*(*file)->read_at(13, into), 0);
  assert_true((*file)->truncate(5).ok() && (*file)->truncate(8).ok());
  assert_int_equal(*(*file)->read_at(0, into), 8);
  assert_memory_equal(into, "\0\0one\0\0\0", 8);
  assert_true((*file)->sync().ok());
  (*file)->start_writeback(0, 8);
  assert_true((*file)->cached(0, 8));
  assert_true((*file)->descriptor() >= 0);
}

void many_pieces_go_in_order(void**) {
  const Directory in;
  auto file = real_file_system().open(in.path + "/f", OpenMode::create);
  std::string digits = "0123456789";
  std::vector<Bytes> pieces;
  for (int i = 0; i < 300; ++i) pieces.push_back(as_bytes(digits).subspan(static_cast<size_t>(i % 10), 1));
  assert_true((*file)->write_at(0, pieces).ok());
  const std::string content = *read_small_file(real_file_system(), in.path + "/f");
  assert_int_equal(content.size(), 300);
  for (size_t i = 0; i < 300; ++i) assert_int_equal(content[i], digits[i % 10]);
}

void errors_say_where_and_why(void**) {
  const Directory in;
  FileSystem& files = real_file_system();
  auto missing = files.open(in.path + "/none", OpenMode::write);
  assert_false(missing.ok());
  assert_int_equal(missing.error().code(), own_code::system);
  assert_non_null(std::strstr(missing.error().message().c_str(), "/none"));
  assert_non_null(std::strstr(missing.error().message().c_str(), "No such file"));
  assert_false(files.list(in.path + "/none").ok());
  assert_true(files.remove(in.path + "/none").ok());              // absent is as good as removed
  assert_true(files.remove_tree(in.path + "/none").ok());
  assert_true(disk_full(file_error("writing", "f", ENOSPC)));
  assert_false(disk_full(file_error("writing", "f", EIO)));
}

void names_are_listed_renamed_and_removed(void**) {
  const Directory in;
  FileSystem& files = real_file_system();
  assert_true(files.make_directory(in.path + "/a/b/c").ok() && files.make_directory(in.path + "/a/b/c").ok());
  assert_true(replace_file(files, in.path + "/a/z", "z").ok() && replace_file(files, in.path + "/a/f", "f").ok());
  auto entries = files.list(in.path + "/a");
  assert_int_equal(entries->size(), 3);
  assert_true((*entries)[0].name == "b" && (*entries)[0].is_directory && (*entries)[1].name == "f" && !(*entries)[1].is_directory);
  assert_true(files.rename(in.path + "/a/z", in.path + "/a/f").ok());
  assert_string_equal(read_small_file(files, in.path + "/a/f")->c_str(), "z");
  assert_false(read_small_file(files, in.path + "/a/f", 0).ok());
  assert_true(files.sync_directory(in.path + "/a").ok());
  const auto space = files.space(in.path);
  assert_true(space->usable > 0 && space->total >= space->usable);
  assert_true(files.remove_tree(in.path + "/a").ok());
  assert_false(files.exists(in.path + "/a"));
  assert_false(files.make_directory("/dev/null/x").ok());
}

void a_lock_keeps_others_out(void**) {
  const Directory in;
  FileSystem& files = real_file_system();
  auto held = files.lock(in.path + "/.lock");
  assert_true(held.ok());
  auto second = files.lock(in.path + "/.lock");                    // of this process
  assert_false(second.ok());
  assert_non_null(std::strstr(second.error().message().c_str(), "another broker"));
  const pid_t child = fork();
  if (child == 0) _exit(files.lock(in.path + "/.lock").ok() ? 1 : 0);
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(WEXITSTATUS(status), 0);
  held->reset();
  assert_true(files.lock(in.path + "/.lock").ok());
}

void a_cache_keeps_few_files_open_and_readers_keep_theirs(void**) {
  sim::MemoryFileSystem files;
  assert_true(files.make_directory("/d").ok());
  FileCache cache{files, 3};
  FileCache::Place places[10];
  const auto open = [&](size_t i) { return *cache.open(places[i], [&] { return "/d/" + std::to_string(i); }, OpenMode::create); };
  for (size_t i = 0; i < 10; ++i) assert_true(open(i)->write_at(0, as_bytes(std::to_string(i))).ok());
  assert_int_equal(cache.open_count(), 3);
  auto pinned = open(4);
  assert_true(places[4].pinned());
  for (size_t i = 0; i < 10; ++i) (void)open(i);
  assert_true(open(4) == pinned);                                  // fallen out, but the same while somebody reads
  std::byte byte;
  assert_int_equal(*pinned->read_at(0, MutableBytes{&byte, 1}), 1);
  assert_int_equal(static_cast<char>(byte), '4');
  pinned.reset();
  assert_false(places[4].pinned());
  cache.close(places[9]);
  assert_int_equal(cache.open_count(), 2);
}

void a_file_in_use_stays_longer_than_one_that_is_not(void**) {
  sim::MemoryFileSystem files;
  assert_true(files.make_directory("/d").ok());
  FileCache cache{files, 3};
  FileCache::Place places[20];
  int opened[20] = {};
  const auto use = [&](size_t i) {
    (void)cache.open(places[i], [&] { return ++opened[i], "/d/" + std::to_string(i); }, OpenMode::create);
  };
  for (size_t i = 1; i < 20; ++i) use(0), use(i);
  assert_true(opened[0] < 12);                                     // 19 if it fell out each time
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(many_pieces_go_in_order),
      cmocka_unit_test(errors_say_where_and_why),
      cmocka_unit_test(names_are_listed_renamed_and_removed),
      cmocka_unit_test(a_lock_keeps_others_out),
      cmocka_unit_test(a_cache_keeps_few_files_open_and_readers_keep_theirs),
      cmocka_unit_test(a_file_in_use_stays_longer_than_one_that_is_not),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
