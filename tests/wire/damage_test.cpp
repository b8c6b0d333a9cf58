// Damaged messages: each vector cut off at each byte, and with each byte changed.  The sanitizers see what is read and is not there;
// what is allocated is counted.
#include <cstdlib>
#include <new>

#include "libkq/base/random.hpp"
#include "tests/wire/vectors.hpp"

#include "tests/unit/cmocka.hpp"                       // last: it has a macro called fail

namespace {
size_t allocated_bytes = 0;                            // in all, never taken back
}

void* operator new(size_t size) {
  allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc{};
}
void* operator new[](size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace kq {
namespace {

// Bytes that end where the heap block ends, so that the sanitizer sees one read too many.
class Exact {
 public:
  explicit Exact(Bytes bytes) : size_(bytes.size()), bytes_(static_cast<std::byte*>(std::malloc(size_ > 0 ? size_ : 1))) {
    if (size_ > 0) std::memcpy(bytes_, bytes.data(), size_);
  }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;
  ~Exact() { std::free(bytes_); }
  Bytes bytes() const { return {bytes_, size_}; }
  std::byte& operator[](size_t i) { return bytes_[i]; }

 private:
  size_t size_;
  std::byte* bytes_;
};

// Reads, and fails the test where that took more memory than the frame's size allows.
bool read(const Vector& vector, Bytes bytes) {
  const size_t before = allocated_bytes;
  const bool ok = vector.entry->read(bytes, vector.version);
  if (allocated_bytes - before > bytes.size() * decoded_bytes_per_byte_max + decoded_bytes_min)
    fail_msg("%s: %zu bytes took %zu", vector.where.c_str(), bytes.size(), allocated_bytes - before);
  return ok;
}

// What could be read can be written, and reads as the same again.
void check_written(const Vector& vector, Bytes bytes) {
  const Walked walked = vector.entry->walk(bytes, vector.version);
  if (!walked.ok || !walked.written || walked.size != walked.bytes.size() || walked.gathered != walked.bytes)
    fail_msg("%s: is read, and not written", vector.where.c_str());
  const Walked again = vector.entry->walk(walked.bytes, vector.version);
  if (!again.ok || again.left != 0 || again.bytes != walked.bytes || again.json != walked.json)
    fail_msg("%s: %s is written as\n%s", vector.where.c_str(), walked.json.c_str(), again.json.c_str());
}

void a_message_cut_off_anywhere_is_refused(void**) {
  for (const Vector& vector : message_vectors()) {
    for (size_t size = 0; size < vector.bytes.size(); ++size) {
      const Exact cut{Bytes{vector.bytes}.first(size)};
      if (read(vector, cut.bytes())) fail_msg("%s: is read from %zu bytes", vector.where.c_str(), size);
    }
  }
}

void a_message_with_any_byte_changed_is_refused_or_another_message(void**) {
  const char* tier = std::getenv("KQ_TEST_TIER");
  const size_t changes = tier != nullptr && std::string_view{tier} == "full" ? 8 : 1;   // of each byte
  size_t refused = 0, other = 0, number = 0;
  for (const Vector& vector : message_vectors()) {
    Exact bytes{vector.bytes};
    for (size_t i = 0; i < vector.bytes.size(); ++i) {
      const std::byte whole = bytes[i];
      const std::byte values[] = {~whole,       whole ^ std::byte{1}, whole ^ std::byte{2}, whole ^ std::byte{0x80},
                                  std::byte{0}, std::byte{1},         std::byte{0x7f},      std::byte{0xff}};
      for (size_t change = 0; change < changes; ++change) {
        bytes[i] = values[++number % std::size(values)];
        const bool ok = read(vector, bytes.bytes());
        ok ? ++other : ++refused;
        if (ok && number % 31 == 0) check_written(vector, bytes.bytes());      // printing and writing take much longer
      }
      bytes[i] = whole;
    }
  }
  assert_true(refused > 10000);
  assert_true(other > 10000);
}

void a_count_that_no_frame_could_hold_is_refused_unallocated(void**) {
  // Metadata version 0: an array of names, which claims 2^31 - 1 of them.
  const std::byte rigid[] = {std::byte{0x7f}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{}, std::byte{}};
  const size_t before = allocated_bytes;
  assert_false(find_message("metadata", "request")->read(Bytes{rigid}, 0));
  assert_int_equal(allocated_bytes, before);
}

void names_without_letters_cannot_balloon(void**) {
  // DescribeGroups version 5: nothing but empty names, 16 bytes in memory for one on the wire.
  std::vector<std::byte> frame(1 << 20, std::byte{1});
  const std::byte count[] = {std::byte{0xfc}, std::byte{0xff}, std::byte{0x3f}};
  std::copy(std::begin(count), std::end(count), frame.begin());
  const size_t before = allocated_bytes;
  find_message("describe_groups", "request")->read(frame, 5);
  assert_true(allocated_bytes - before <= frame.size() * decoded_bytes_per_byte_max + decoded_bytes_min);
}

void random_bytes_are_refused_or_a_message(void**) {
  Random random{1};
  const auto next = [&] { return static_cast<int>(random.below(256)); };
  for (const Entry& entry : all_messages()) {
    for (int round = 0; round < 200; ++round) {
      std::vector<std::byte> noise(random.below(128));
      for (std::byte& b : noise) b = static_cast<std::byte>(next() & (round % 2 ? 0xff : 3));    // small numbers get further
      const auto version = static_cast<int16_t>(entry.oldest + next() % (entry.newest - entry.oldest + 1));
      Vector vector;
      vector.where = std::string{entry.name} + " of random bytes";
      vector.entry = &entry;
      vector.version = version;
      const Exact bytes{noise};
      if (read(vector, bytes.bytes())) check_written(vector, bytes.bytes());
    }
  }
}

}  // namespace
}  // namespace kq

int main() {
  using namespace kq;
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_message_cut_off_anywhere_is_refused),
      cmocka_unit_test(a_message_with_any_byte_changed_is_refused_or_another_message),
      cmocka_unit_test(a_count_that_no_frame_could_hold_is_refused_unallocated),
      cmocka_unit_test(names_without_letters_cannot_balloon),
      cmocka_unit_test(random_bytes_are_refused_or_a_message),
  };
  return cmocka_run_group_tests_name("wire.damage", tests, nullptr, nullptr);
}
