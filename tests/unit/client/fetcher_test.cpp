// The Fetcher's story is told as a transcript: what it wishes for, what it asks, what there is to read.
#include "libkq/client/fetcher.hpp"

#include "libkq/record/batch_builder.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::client;

namespace {

struct Story {
  explicit Story(FetchOptions options = {}, size_t memory_max = 64 << 20)
      : memory(std::make_shared<FetchMemory>(memory_max)), fetcher(options, memory, 1) {}

  void assign(int32_t partition, int64_t offset) {
    const AssignedPartition one[] = {{"t", partition, offset}};
    fetcher.assign(one);
  }
  std::string step(const Fetcher::Event& event) {
    std::string text;
    for (const Fetcher::Wish& wish : fetcher.step(now, event)) {
      const char* kinds[] = {"fetch", "offsets", "metadata", "committed"};
      text += (text.empty() ? "" : ", ") + std::string(kinds[static_cast<int>(wish.kind)]);
      if (wish.node >= 0) text += " " + std::to_string(wish.node);
    }
    return text;
  }
  std::string tick() { return step(Fetcher::Tick{}); }
  std::string leader(int32_t partition, int32_t node, int32_t epoch = 1) {
    const Fetcher::Leader one[] = {{"t", partition, node, epoch, id}};
    return step(Fetcher::Metadata{one, {}});
  }
  std::string missing(int32_t partition, Code code) {
    const Fetcher::Missing one[] = {{"t", partition, code}};
    return step(Fetcher::Metadata{{}, one});
  }
  // "t-0@5": what the next fetch of the node asks for, changes alone.
  std::string fetch(int32_t node) {
    FetchRequest request;
    if (!fetcher.fill(node, request)) return "nothing";
    std::string text;
    for (const auto& topic : request.topics)
      for (const auto& one : topic.partitions) text += "t-" + std::to_string(one.partition) + "@" + std::to_string(one.fetch_offset) + " ";
    for (const auto& topic : request.forgotten_topics_data)
      for (const int32_t one : topic.partitions) text += "-t-" + std::to_string(one) + " ";
    if (!text.empty()) text.pop_back();
    return text;
  }
  std::string list(int32_t node) {
    ListOffsetsRequest request;
    if (!fetcher.fill(node, request, wall_ms)) return "nothing";
    std::string text;
    for (const auto& topic : request.topics)
      for (const auto& one : topic.partitions)
        text += std::string(topic.name) + "-" + std::to_string(one.partition_index) + " at " + std::to_string(one.timestamp) + " ";
    text.pop_back();
    return text;
  }
  std::string listed(int32_t node, int32_t partition, int64_t offset, Code code = Code::none) {
    ListOffsetsResponse response;
    auto& topic = response.topics.emplace_back();
    topic.name = "t";
    auto& one = topic.partitions.emplace_back();
    one.partition_index = partition;
    one.offset = offset;
    one.error_code = code;
    return step(Fetcher::OffsetsAnswered{node, response});
  }
  // An answer with `count` records from `offset` on (0: none), or an error, for one partition; -1: for none.
  std::string answer(int32_t node, int32_t partition, int64_t offset, int count, int64_t end, Code code = Code::none) {
    FetchResponse response;
    response.session_id = 77;
    if (partition >= 0) {
      auto& topic = response.responses.emplace_back();
      topic.topic_id = id;
      auto& data = topic.partitions.emplace_back();
      data.partition_index = partition;
      data.error_code = code;
      data.high_watermark = end;
      data.last_stable_offset = end;
      OwnedBatchBuilder& batch = batches.emplace_back();
      for (int i = 0; i < count; ++i) batch.append(1000, as_bytes("key"), as_bytes("value"));
      data.records = Records{.bytes = count > 0 ? batch.seal({.base_offset = offset}) : Bytes{}};
    }
    return step(Fetcher::FetchAnswered{node, response, nullptr});
  }
  // The answer names a follower to fetch from.
  std::string prefer(int32_t node, int32_t partition, int32_t follower) {
    FetchResponse response;
    response.session_id = 77;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = id;
    auto& data = topic.partitions.emplace_back();
    data.partition_index = partition;
    data.preferred_read_replica = follower;
    data.records = Records{};
    return step(Fetcher::FetchAnswered{node, response, nullptr});
  }
  // The leader knows of the last fetched epoch that it ended at `end`.
  std::string diverge(int32_t node, int32_t partition, int32_t epoch, int64_t end) {
    FetchResponse response;
    response.session_id = 77;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = id;
    auto& data = topic.partitions.emplace_back();
    data.partition_index = partition;
    data.diverging_epoch.epoch = epoch;
    data.diverging_epoch.end_offset = end;
    return step(Fetcher::FetchAnswered{node, response, nullptr});
  }
  // "t-0 5..9", "end t-0 9", "t-0 fails OFFSET_OUT_OF_RANGE", or "nothing"; a slice counts as read to its end.
  std::string read() {
    auto fetched = fetcher.take();
    if (!fetched) return "nothing";
    if (auto* slice = std::get_if<Slice>(&*fetched)) {
      Bytes rest = slice->records;
      BatchView view;
      int64_t last = -1;
      while (next_batch(rest, view) == kq::Step::batch) last = view.last_offset();
      std::string text = *slice->topic + "-" + std::to_string(slice->partition) + " " + std::to_string(slice->position) + ".." + std::to_string(last);
      slice->position = last + 1;
      fetcher.finished(*slice);
      return text;
    }
    if (auto* end = std::get_if<EndOfPartition>(&*fetched))
      return "end " + *end->topic + "-" + std::to_string(end->partition) + " " + std::to_string(end->offset);
    auto& failure = std::get<PartitionFailure>(*fetched);
    return *failure.topic + "-" + std::to_string(failure.partition) + " fails " + name_of(static_cast<Code>(failure.error.code()));
  }
  int64_t position(int32_t partition) { return *fetcher.position("t", partition); }

  const Uuid id = Uuid::random();
  Instant now{1h};
  int64_t wall_ms = 1'000'000;
  std::shared_ptr<FetchMemory> memory;
  Fetcher fetcher;
  std::deque<OwnedBatchBuilder> batches;
};

#define expect(call, text) assert_string_equal((call).c_str(), text)

void a_partition_is_fetched_from_its_leader_and_read(void**) {
  Story story;
  story.assign(0, 5);
  expect(story.tick(), "metadata");
  expect(story.leader(0, 1), "fetch 1");
  expect(story.fetch(1), "t-0@5");
  expect(story.tick(), "");
  expect(story.answer(1, 0, 5, 5, 10), "fetch 1");
  expect(story.fetch(1), "t-0@10");
  expect(story.read(), "t-0 5..9");
  assert_int_equal(story.position(0), 10);
  expect(story.read(), "nothing");
}

void the_next_fetch_waits_while_enough_is_unread(void**) {
  Story story({.partition_bytes_max = 100});
  story.assign(0, 0);
  story.leader(0, 1);
  story.fetch(1);
  expect(story.answer(1, 0, 0, 10, 20), "");
  expect(story.read(), "t-0 0..9");
  assert_true(story.fetcher.wants_step());
  expect(story.tick(), "fetch 1");
  expect(story.fetch(1), "t-0@10");
}

void a_position_by_policy_is_asked_of_the_leader(void**) {
  Story story({.reset = offset_spec::earliest});
  story.assign(0, offset_spec::by_policy);
  expect(story.leader(0, 1), "metadata, offsets 1");
  expect(story.list(1), "t-0 at -2");
  expect(story.listed(1, 0, 42), "fetch 1");
  expect(story.fetch(1), "t-0@42");
  assert_int_equal(story.position(0), 42);
}

void a_seek_makes_what_was_fetched_before_it_void(void**) {
  Story story;
  story.assign(0, 0);
  story.leader(0, 1);
  story.fetch(1);
  story.answer(1, 0, 0, 5, 100);
  expect(story.fetch(1), "t-0@5");
  assert_true(story.fetcher.seek("t", 0, 50).ok());
  expect(story.read(), "nothing");
  expect(story.answer(1, 0, 5, 5, 100), "fetch 1");      // of the fetch that was under way
  expect(story.read(), "nothing");
  expect(story.fetch(1), "t-0@50");
}

void a_slice_given_back_after_a_seek_is_dropped(void**) {
  Story story;
  story.assign(0, 0);
  story.leader(0, 1);
  story.fetch(1);
  story.answer(1, 0, 0, 5, 100);
  auto fetched = story.fetcher.take();
  assert_true(story.fetcher.seek("t", 0, 50).ok());
  story.fetcher.give_back(std::move(std::get<Slice>(*fetched)));
  expect(story.read(), "nothing");
  assert_int_equal(story.position(0), 50);
}

void an_offset_out_of_range_is_reset_by_policy(void**) {
  Story story({.reset = offset_spec::earliest});
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  expect(story.answer(1, 0, 0, 0, -1, Code::offset_out_of_range), "offsets 1");
  expect(story.list(1), "t-0 at -2");
  expect(story.listed(1, 0, 20), "fetch 1");
  expect(story.fetch(1), "t-0@20");
}

void without_a_policy_it_is_told_and_the_partition_rests_until_a_seek(void**) {
  Story story({.reset = offset_spec::by_policy});
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  expect(story.answer(1, 0, 0, 0, -1, Code::offset_out_of_range), "");
  expect(story.read(), "t-0 fails OFFSET_OUT_OF_RANGE");
  expect(story.read(), "nothing");
  story.now += 1h;
  expect(story.tick(), "");
  assert_true(story.fetcher.seek("t", 0, 7).ok());
  expect(story.tick(), "fetch 1");
  expect(story.fetch(1), "t-0@7");
}

void a_moved_leader_is_found_by_metadata_and_the_old_one_told_to_forget(void**) {
  Story story;
  const AssignedPartition both[] = {{"t", 0, 5}, {"t", 1, 5}};
  story.fetcher.assign(both);
  story.leader(0, 1);
  story.leader(1, 1);
  expect(story.fetch(1), "t-0@5 t-1@5");
  expect(story.answer(1, 0, 0, 0, -1, Code::not_leader_or_follower), "metadata, fetch 1");
  expect(story.fetch(1), "-t-0");
  expect(story.leader(0, 2, 2), "fetch 2");
  expect(story.fetch(2), "t-0@5");
}

void a_partition_that_backs_off_is_tried_again_later(void**) {
  Story story;
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  expect(story.answer(1, 0, 0, 0, -1, Code::offset_not_available), "");
  assert_true(story.fetcher.deadline().has_value());
  story.now = *story.fetcher.deadline();
  expect(story.tick(), "fetch 1");
}

void a_lost_session_and_a_broken_connection_begin_anew(void**) {
  Story story;
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  expect(story.step(Fetcher::FetchFailed{1}), "");
  story.now = *story.fetcher.deadline();
  expect(story.tick(), "fetch 1");
  expect(story.fetch(1), "t-0@5");
  expect(story.answer(1, -1, 0, 0, 0), "fetch 1");
  expect(story.fetch(1), "");
  FetchResponse lost;
  lost.error_code = Code::fetch_session_id_not_found;
  expect(story.step(Fetcher::FetchAnswered{1, lost, nullptr}), "fetch 1");
  expect(story.fetch(1), "t-0@5");
}

void a_wish_without_a_connection_waits_for_one(void**) {
  Story story;
  story.assign(0, 5);
  expect(story.leader(0, 1), "metadata, fetch 1");
  expect(story.step(Fetcher::NotConnected{1}), "");
  expect(story.tick(), "");
  expect(story.step(Fetcher::Connected{1}), "fetch 1");
}

void a_topic_that_stays_unknown_is_told_after_a_grace(void**) {
  Story story;
  story.assign(0, 5);
  story.tick();
  expect(story.missing(0, Code::unknown_topic_or_partition), "");
  story.now += Fetcher::topic_grace / 2;
  expect(story.tick(), "metadata");
  story.missing(0, Code::unknown_topic_or_partition);
  expect(story.read(), "nothing");
  story.now += Fetcher::topic_grace;
  story.missing(0, Code::unknown_topic_or_partition);
  expect(story.read(), "t-0 fails UNKNOWN_TOPIC_OR_PARTITION");
}

void a_forbidden_topic_is_told_at_once(void**) {
  Story story;
  story.assign(0, 5);
  story.missing(0, Code::topic_authorization_failed);
  expect(story.read(), "t-0 fails TOPIC_AUTHORIZATION_FAILED");
}

void the_end_is_told_once_for_each_time_it_is_reached(void**) {
  Story story({.report_end = true});
  story.assign(0, 0);
  story.leader(0, 1);
  story.fetch(1);
  story.answer(1, 0, 0, 5, 5);
  expect(story.read(), "t-0 0..4");
  expect(story.read(), "end t-0 5");
  story.fetch(1);
  story.answer(1, -1, 0, 0, 0);
  expect(story.read(), "nothing");
  story.fetch(1);
  story.answer(1, 0, 5, 1, 6);
  expect(story.read(), "t-0 5..5");
  expect(story.read(), "end t-0 6");
  // A session's answer says nothing of a partition where nothing is new: a seek to the end is told all the same.
  assert_true(story.fetcher.seek("t", 0, 6).ok());
  story.tick();
  story.fetch(1);
  story.answer(1, -1, 0, 0, 0);
  expect(story.read(), "end t-0 6");
}

void nothing_of_a_paused_partition_is_read_or_fetched(void**) {
  Story story;
  story.assign(0, 0);
  story.leader(0, 1);
  story.fetch(1);
  assert_true(story.fetcher.pause("t", 0, true).ok());
  story.answer(1, 0, 0, 5, 10);
  expect(story.read(), "nothing");
  expect(story.fetch(1), "nothing");
  assert_true(story.fetcher.pause("t", 0, false).ok());
  expect(story.read(), "t-0 0..4");
  expect(story.tick(), "fetch 1");
}

void fetching_stops_while_memory_is_full(void**) {
  Story story({}, 1000);
  story.assign(0, 0);
  story.leader(0, 1);
  story.memory->take(1000);
  expect(story.tick(), "");
  assert_true(story.fetcher.starved());
  assert_true(story.fetcher.stuck());
  story.memory->give_back(1000);
  expect(story.tick(), "fetch 1");
  assert_false(story.fetcher.starved());
}

void an_assignment_keeps_the_place_of_what_stays(void**) {
  Story story;
  story.assign(0, 0);
  story.leader(0, 1);
  story.fetch(1);
  story.answer(1, 0, 0, 5, 10);
  const AssignedPartition more[] = {{"t", 0, offset_spec::by_policy}, {"t", 1, 3}};
  story.fetcher.assign(more);
  story.leader(1, 1);
  expect(story.fetch(1), "t-0@5 t-1@3");
  expect(story.read(), "t-0 0..4");
  story.fetcher.assign({});
  assert_false(story.fetcher.position("t", 0).ok());
  expect(story.answer(1, 0, 5, 5, 10), "");
  expect(story.read(), "nothing");
}

void partitions_take_turns(void**) {
  Story story;
  const AssignedPartition both[] = {{"t", 0, 0}, {"t", 1, 0}};
  story.fetcher.assign(both);
  story.leader(0, 1);
  story.leader(1, 2);
  for (int64_t offset = 0; offset < 10; offset += 5) {
    story.fetch(1);
    story.answer(1, 0, offset, 5, 10);
    story.fetch(2);
    story.answer(2, 1, offset, 5, 10);
  }
  expect(story.read(), "t-0 0..4");
  expect(story.read(), "t-1 0..4");
  expect(story.read(), "t-0 5..9");
  expect(story.read(), "t-1 5..9");
}

}  // namespace

void a_follower_nearby_is_fetched_from_until_it_fails(void**) {
  FetchOptions options;
  options.rack = "here";
  Story story(options);
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  expect(story.prefer(1, 0, 3), "fetch 3");
  expect(story.fetch(3), "t-0@5");
  expect(story.answer(3, 0, 5, 5, 20), "fetch 3");
  expect(story.fetch(3), "t-0@10");
  expect(story.step(Fetcher::FetchFailed{3}), "fetch 1");
  expect(story.fetch(1), "t-0@10");
}

void a_follower_that_does_not_have_the_offset_says_nothing_about_the_leader(void**) {
  Story story({.reset = offset_spec::by_policy, .rack = "here"});
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  story.prefer(1, 0, 3);
  story.fetch(3);
  const std::string wishes = story.answer(3, 0, 0, 0, -1, Code::offset_out_of_range);
  assert_true(wishes.find("fetch 1") != wishes.npos);
  expect(story.read(), "nothing");
  expect(story.fetch(1), "");                            // its session still has t-0@5
}

void the_leader_is_asked_again_after_a_while_whether_the_follower_is_still_right(void**) {
  Story story({.rack = "here", .replica_age = 1min});
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  story.prefer(1, 0, 3);
  story.fetch(3);
  story.now += 2min;
  story.answer(3, 0, 5, 5, 20);
  expect(story.fetch(1), "t-0@10");
}

void a_truncated_log_is_read_again_from_where_it_differs(void**) {
  Story story({.reset = offset_spec::earliest});
  story.assign(0, 5);
  story.leader(0, 1);
  story.fetch(1);
  story.answer(1, 0, 5, 5, 10);
  expect(story.fetch(1), "t-0@10");
  expect(story.read(), "t-0 5..9");
  story.leader(0, 2, 2);
  expect(story.fetch(2), "t-0@10");
  expect(story.diverge(2, 0, 1, 8), "fetch 2");
  assert_int_equal(story.position(0), 8);
  expect(story.fetch(2), "t-0@8");
}

void a_truncation_is_told_where_there_is_no_policy(void**) {
  Story story({.reset = offset_spec::by_policy});
  story.assign(0, 10);
  story.leader(0, 1);
  story.fetch(1);
  story.diverge(1, 0, 1, 8);
  expect(story.read(), "t-0 fails OFFSET_OUT_OF_RANGE");
}

void what_the_group_has_committed_comes_before_the_policy(void**) {
  Story story({.reset = offset_spec::latest, .committed_first = true});
  story.fetcher.add({{"t", 0}, {"t", 1}});
  expect(story.tick(), "metadata, committed");
  assert_int_equal(story.fetcher.fill_committed().size(), 2);
  story.leader(0, 1);
  story.leader(1, 1);
  const GroupOffset answers[] = {{.at = {"t", 0}, .offset = 7}, {.at = {"t", 1}}};
  expect(story.step(Fetcher::CommittedAnswered{answers}), "offsets 1, fetch 1");
  expect(story.fetch(1), "t-0@7");
  expect(story.list(1), "t-1 at -1");
}

void a_committed_offset_that_is_hidden_for_now_is_asked_for_again(void**) {
  Story story({.committed_first = true});
  story.fetcher.add({{"t", 0}});
  expect(story.tick(), "metadata, committed");
  assert_int_equal(story.fetcher.fill_committed().size(), 1);
  story.leader(0, 1);
  const GroupOffset hidden[] = {{.at = {"t", 0}, .error = Error(static_cast<int32_t>(Code::unstable_offset_commit), "hidden", Verdict::retry)}};
  expect(story.step(Fetcher::CommittedAnswered{hidden}), "");
  assert_true(story.fetcher.deadline().has_value());
  story.now = *story.fetcher.deadline();
  expect(story.tick(), "committed");
  assert_int_equal(story.fetcher.fill_committed().size(), 1);
  const GroupOffset told[] = {{.at = {"t", 0}, .offset = 7}};
  expect(story.step(Fetcher::CommittedAnswered{told}), "fetch 1");
}

void a_position_by_duration_is_asked_for_as_a_time_and_else_the_end(void**) {
  Story story({.reset = offset_spec::by_duration, .reset_back = 10s});
  story.assign(0, offset_spec::by_policy);
  story.leader(0, 1);
  expect(story.list(1), "t-0 at 990000");
  expect(story.listed(1, 0, -1), "offsets 1");
  expect(story.list(1), "t-0 at -1");
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_partition_is_fetched_from_its_leader_and_read),
      cmocka_unit_test(the_next_fetch_waits_while_enough_is_unread),
      cmocka_unit_test(a_position_by_policy_is_asked_of_the_leader),
      cmocka_unit_test(a_seek_makes_what_was_fetched_before_it_void),
      cmocka_unit_test(a_slice_given_back_after_a_seek_is_dropped),
      cmocka_unit_test(an_offset_out_of_range_is_reset_by_policy),
      cmocka_unit_test(without_a_policy_it_is_told_and_the_partition_rests_until_a_seek),
      cmocka_unit_test(a_moved_leader_is_found_by_metadata_and_the_old_one_told_to_forget),
      cmocka_unit_test(a_partition_that_backs_off_is_tried_again_later),
      cmocka_unit_test(a_lost_session_and_a_broken_connection_begin_anew),
      cmocka_unit_test(a_wish_without_a_connection_waits_for_one),
      cmocka_unit_test(a_topic_that_stays_unknown_is_told_after_a_grace),
      cmocka_unit_test(a_forbidden_topic_is_told_at_once),
      cmocka_unit_test(the_end_is_told_once_for_each_time_it_is_reached),
      cmocka_unit_test(nothing_of_a_paused_partition_is_read_or_fetched),
      cmocka_unit_test(fetching_stops_while_memory_is_full),
      cmocka_unit_test(an_assignment_keeps_the_place_of_what_stays),
      cmocka_unit_test(partitions_take_turns),
      cmocka_unit_test(a_follower_nearby_is_fetched_from_until_it_fails),
      cmocka_unit_test(a_follower_that_does_not_have_the_offset_says_nothing_about_the_leader),
      cmocka_unit_test(the_leader_is_asked_again_after_a_while_whether_the_follower_is_still_right),
      cmocka_unit_test(a_truncated_log_is_read_again_from_where_it_differs),
      cmocka_unit_test(a_truncation_is_told_where_there_is_no_policy),
      cmocka_unit_test(what_the_group_has_committed_comes_before_the_policy),
      cmocka_unit_test(a_committed_offset_that_is_hidden_for_now_is_asked_for_again),
      cmocka_unit_test(a_position_by_duration_is_asked_for_as_a_time_and_else_the_end),
  };
  return cmocka_run_group_tests_name("client.fetcher", tests, nullptr, nullptr);
}
