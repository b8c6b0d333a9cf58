#include "libkq/client/fetch_session.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
using client::FetchSession;
using client::FetchSpot;

// "t-0@5 t-1@7 -t-2": what a request asks for, and what it forgets.
static std::string text(const FetchRequest& request) {
  std::string text;
  const auto put = [&](std::string_view word) { text += (text.empty() ? "" : " ") + std::string(word); };
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions)
      put(std::string(topic.topic) + "-" + std::to_string(partition.partition) + "@" + std::to_string(partition.fetch_offset));
  for (const auto& topic : request.forgotten_topics_data)
    for (const int32_t partition : topic.partitions) put("-" + std::string(topic.topic) + "-" + std::to_string(partition));
  return text;
}

static FetchSpot spot(int32_t partition, int64_t offset, const char* topic = "t", Uuid id = {}) {
  return {std::make_shared<const std::string>(topic), id, partition, offset, -1};
}

static std::string next(FetchSession& session, int32_t expected_epoch, int32_t expected_id) {
  FetchRequest request;
  session.fill(request, 1000);
  assert_int_equal(request.session_epoch, expected_epoch);
  assert_int_equal(request.session_id, expected_id);
  return text(request);
}

static void the_first_request_names_all_and_later_ones_what_changed(void**) {
  FetchSession session;
  session.want(1, spot(0, 5));
  session.want(2, spot(1, 7));
  assert_string_equal(next(session, 0, 0).c_str(), "t-0@5 t-1@7");
  session.answered(99);
  assert_string_equal(next(session, 1, 99).c_str(), "");
  session.answered(99);
  session.want(2, spot(1, 8));
  assert_string_equal(next(session, 2, 99).c_str(), "t-1@8");
}

static void what_is_wanted_as_before_is_not_named_again(void**) {
  FetchSession session;
  session.want(1, spot(0, 5));
  next(session, 0, 0);
  session.answered(99);
  session.forget(1);
  session.want(1, spot(0, 5));
  assert_string_equal(next(session, 1, 99).c_str(), "");
}

static void what_is_not_wanted_any_more_is_forgotten_once(void**) {
  FetchSession session;
  session.want(1, spot(0, 5));
  session.want(2, spot(1, 7));
  next(session, 0, 0);
  session.answered(99);
  session.forget(1);
  session.forget(1);
  assert_string_equal(next(session, 1, 99).c_str(), "-t-0");
  session.answered(99);
  assert_string_equal(next(session, 2, 99).c_str(), "");
  assert_null(session.asked(1));
  assert_int_equal(session.asked(2)->offset, 7);
}

static void a_topic_made_anew_is_forgotten_under_its_old_id(void**) {
  const Uuid old_id = Uuid::random(), new_id = Uuid::random();
  FetchSession session;
  session.want(1, spot(0, 5, "t", old_id));
  next(session, 0, 0);
  session.answered(99);
  session.want(1, spot(0, 5, "t", new_id));
  FetchRequest request;
  session.fill(request, 1000);
  assert_true(request.topics.at(0).topic_id == new_id);
  assert_true(request.forgotten_topics_data.at(0).topic_id == old_id);
}

static void a_lost_session_begins_anew_with_all(void**) {
  FetchSession session;
  session.want(1, spot(0, 5));
  next(session, 0, 0);
  session.answered(99);
  session.want(2, spot(1, 7));
  session.lost();
  assert_string_equal(next(session, 0, 0).c_str(), "t-0@5 t-1@7");
}

static void without_a_session_each_request_is_full(void**) {
  FetchSession session;
  session.want(1, spot(0, 5));
  next(session, 0, 0);
  session.answered(0);
  assert_string_equal(next(session, 0, 0).c_str(), "t-0@5");
}

static void partitions_come_by_topic(void**) {
  FetchSession session;
  session.want(1, spot(1, 1, "b"));
  session.want(2, spot(0, 2, "a"));
  session.want(3, spot(0, 3, "b"));
  FetchRequest request;
  session.fill(request, 1000);
  assert_string_equal(text(request).c_str(), "a-0@2 b-0@3 b-1@1");
  assert_int_equal(request.topics.size(), 2);
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_first_request_names_all_and_later_ones_what_changed),
      cmocka_unit_test(what_is_wanted_as_before_is_not_named_again),
      cmocka_unit_test(what_is_not_wanted_any_more_is_forgotten_once),
      cmocka_unit_test(a_topic_made_anew_is_forgotten_under_its_old_id),
      cmocka_unit_test(a_lost_session_begins_anew_with_all),
      cmocka_unit_test(without_a_session_each_request_is_full),
      cmocka_unit_test(partitions_come_by_topic),
  };
  return cmocka_run_group_tests_name("client.fetch_session", tests, nullptr, nullptr);
}
