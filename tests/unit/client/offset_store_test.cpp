// What was handed out, stored and committed.
#include "libkq/client/offset_store.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

std::string shown(const std::vector<GroupOffset>& offsets) {
  std::string text;
  for (const GroupOffset& each : offsets) text += (text.empty() ? "" : " ") + each.at.text() + "@" + std::to_string(each.offset);
  return text;
}

#define expect(offsets, text) assert_string_equal(shown(offsets).c_str(), text)

}  // namespace

static void what_a_poll_hands_out_is_stored_when_the_next_begins(void**) {
  OffsetStore store(true);
  store.handed_out("t", 0, 5, 1);
  expect(store.to_commit(), "");
  assert_true(store.poll_begins());
  expect(store.to_commit(), "t-0@5");
  store.handed_out("t", 0, 9, 1);
  expect(store.to_commit(), "t-0@5");
  expect(store.all(), "t-0@9");
}

static void what_is_committed_is_not_committed_again(void**) {
  OffsetStore store(true);
  store.handed_out("t", 0, 5, 1);
  store.poll_begins();
  store.committed({"t", 0}, 5);
  expect(store.to_commit(), "");
  assert_false(store.anything_to_commit());
  assert_false(store.poll_begins());
}

static void a_batch_that_is_done_with_counts_at_once_unless_a_later_one_has_come(void**) {
  OffsetStore store(true);
  store.handed_out("t", 0, 5, 1);
  store.done_with("t", 0, 5);
  expect(store.to_commit(), "t-0@5");
  store.handed_out("t", 0, 9, 1);
  store.done_with("t", 0, 5);                      // the older batch once more: the newer one is not done with
  expect(store.to_commit(), "t-0@5");
}

static void a_seek_forgets_what_was_handed_out_and_keeps_what_is_stored(void**) {
  OffsetStore store(true);
  store.handed_out("t", 0, 5, 1);
  store.poll_begins();
  store.handed_out("t", 0, 9, 1);
  store.moved("t", 0);
  store.poll_begins();
  expect(store.to_commit(), "t-0@5");
}

static void an_application_that_stores_decides_alone(void**) {
  OffsetStore store(false);
  store.handed_out("t", 0, 5, 1);
  assert_false(store.poll_begins());
  expect(store.to_commit(), "");
  store.store({"t", 0}, 3, -1, "note");
  expect(store.to_commit(), "t-0@3");
  assert_string_equal(store.to_commit().front().metadata.c_str(), "note");
}

static void what_is_given_up_is_forgotten(void**) {
  OffsetStore store(true);
  store.handed_out("t", 0, 5, 1);
  store.handed_out("t", 1, 6, 1);
  store.forget({{"t", 0}});
  store.poll_begins();
  expect(store.to_commit(), "t-1@6");
  expect(store.to_commit({{"t", 0}, {"t", 2}}), "");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_a_poll_hands_out_is_stored_when_the_next_begins),
      cmocka_unit_test(what_is_committed_is_not_committed_again),
      cmocka_unit_test(a_batch_that_is_done_with_counts_at_once_unless_a_later_one_has_come),
      cmocka_unit_test(a_seek_forgets_what_was_handed_out_and_keeps_what_is_stored),
      cmocka_unit_test(an_application_that_stores_decides_alone),
      cmocka_unit_test(what_is_given_up_is_forgotten),
  };
  return cmocka_run_group_tests_name("client.offset_store", tests, nullptr, nullptr);
}
