#include "tests/unit/broker/group/driver.hpp"
#include "tests/unit/cmocka.hpp"

namespace {

using namespace kq;
using namespace kq::group;

struct Fixture : Driver {
  using Driver::Driver;

  Code commit(int64_t offset, int32_t generation = -1, std::string_view member = "", std::string_view metadata = "",
              int16_t version = 9) {
    OffsetCommitRequest request;
    request.group_id = "g";
    request.generation_id_or_member_epoch = generation;
    request.member_id = member;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    auto& partition = topic.partitions.emplace_back();
    partition.committed_offset = offset;
    partition.committed_metadata = metadata;
    OffsetCommitResponse response;
    Code code = Code::none;
    const Code appended = run([&](Writes& writes) { code = shard->offsets().commit(now, version, request, response, writes); });
    if (code != Code::none) return code;
    return appended != Code::none ? appended : response.topics.at(0).partitions.at(0).error_code;
  }
  Code commit_in_transaction(int64_t producer_id, int64_t offset) {
    TxnOffsetCommitRequest request;
    request.group_id = "g";
    request.producer_id = producer_id;
    request.producer_epoch = 0;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.emplace_back().committed_offset = offset;
    TxnOffsetCommitResponse response;
    Code code = Code::none;
    run([&](Writes& writes) { code = shard->offsets().commit(now, 5, request, response, writes); });
    return code;
  }
  std::pair<int64_t, Code> fetch(bool require_stable = false) {
    OffsetFetchRequest::OffsetFetchRequestGroup request;
    request.group_id = "g";
    request.topics->push_back({.name = "t", .topic_id = {}, .partition_indexes = {0}});
    const auto answer = shard->offsets().fetch(request, require_stable);
    const auto& partition = answer.body.topics.at(0).partitions.at(0);
    return {partition.committed_offset, partition.error_code};
  }
  Code remove_group() {
    Code code = Code::none;
    run([&](Writes& writes) { code = shard->remove("g", writes); });
    return code;
  }
};

void an_offset_that_was_committed_is_fetched_also_after_a_restart(void**) {
  Fixture f;
  assert_int_equal(f.fetch().first, -1);
  assert_int_equal(f.commit(5), Code::none);
  assert_int_equal(f.fetch().first, 5);
  f.restart();
  assert_int_equal(f.fetch().first, 5);
}

void a_commit_that_was_refused_is_not_seen(void**) {
  Fixture f;
  assert_int_equal(f.commit(5), Code::none);
  f.refuse = Code::not_enough_replicas;
  assert_int_equal(f.commit(6), Code::not_enough_replicas);
  assert_int_equal(f.fetch().first, 5);
}

void a_generation_that_no_group_has_is_refused_in_the_version_s_own_words(void**) {
  Fixture f;
  assert_int_equal(f.commit(5, 3, "m", "", 8), Code::illegal_generation);
  assert_int_equal(f.commit(5, 3, "m", "", 9), Code::group_id_not_found);
}

void metadata_above_the_limit_is_refused_and_counted_in_characters_of_java(void**) {
  Fixture f(GroupConfig{.offset_metadata_max_bytes = 4});
  assert_int_equal(f.commit(5, -1, "", "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"), Code::none);
  assert_int_equal(f.commit(5, -1, "", "12345"), Code::offset_metadata_too_large);
}

void an_offset_of_a_transaction_is_seen_when_it_commits(void**) {
  Fixture f;
  assert_int_equal(f.commit(1), Code::none);
  assert_int_equal(f.commit_in_transaction(7, 9), Code::none);
  assert_int_equal(f.fetch().first, 1);
  assert_int_equal(f.fetch(true).second, Code::unstable_offset_commit);
  f.restart();
  assert_int_equal(f.fetch(true).second, Code::unstable_offset_commit);
  f.end_transaction(7, true);
  assert_int_equal(f.fetch(true).first, 9);
  f.restart();
  assert_int_equal(f.fetch(true).first, 9);
}

void an_offset_of_an_aborted_transaction_is_never_seen(void**) {
  Fixture f;
  assert_int_equal(f.commit_in_transaction(7, 9), Code::none);
  f.end_transaction(7, false);
  assert_int_equal(f.fetch(true).first, -1);
  assert_int_equal(f.fetch(true).second, Code::none);
}

void of_a_transaction_and_a_plain_commit_the_later_written_one_holds(void**) {
  Fixture f;
  assert_int_equal(f.commit_in_transaction(7, 9), Code::none);
  assert_int_equal(f.commit(20), Code::none);
  f.end_transaction(7, true);
  assert_int_equal(f.fetch().first, 20);
}

void offsets_of_an_empty_group_expire_and_the_group_with_them(void**) {
  Fixture f;
  assert_int_equal(f.commit(5), Code::none);
  f.advance(24h * 6);
  assert_int_equal(f.fetch().first, 5);
  f.advance(24h * 2);
  assert_int_equal(f.fetch().first, -1);
  assert_null(f.shard->groups().find("g"));
  f.restart();
  assert_null(f.shard->groups().find("g"));
}

void what_could_not_be_expired_is_expired_later(void**) {
  Fixture f;
  assert_int_equal(f.commit(5), Code::none);
  f.advance(24h * 7 - 5min);
  f.refuse = Code::kafka_storage_error;
  for (int i = 0; i < 5; ++i) f.run([&](Writes& writes) { f.shard->tick(f.now, writes); });
  f.refuse = Code::none;
  f.advance(20min);
  assert_int_equal(f.fetch().first, -1);
}

void a_deleted_group_has_no_offsets(void**) {
  Fixture f;
  assert_int_equal(f.remove_group(), Code::group_id_not_found);
  assert_int_equal(f.commit(5), Code::none);
  assert_int_equal(f.remove_group(), Code::none);
  assert_int_equal(f.fetch().first, -1);
  f.restart();
  assert_null(f.shard->groups().find("g"));
}

void offsets_of_a_deleted_topic_go(void**) {
  Fixture f;
  assert_int_equal(f.commit(5), Code::none);
  cluster::Delta delta;
  auto topic = std::make_shared<cluster::TopicImage>();
  topic->name = "t";
  delta.topics.push_back({topic, nullptr});
  f.shard->metadata_changed(f.now, f.image, delta);
  f.advance(1s);
  assert_int_equal(f.fetch().first, -1);
  f.restart();
  assert_int_equal(f.fetch().first, -1);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_offset_that_was_committed_is_fetched_also_after_a_restart),
      cmocka_unit_test(a_commit_that_was_refused_is_not_seen),
      cmocka_unit_test(a_generation_that_no_group_has_is_refused_in_the_version_s_own_words),
      cmocka_unit_test(metadata_above_the_limit_is_refused_and_counted_in_characters_of_java),
      cmocka_unit_test(an_offset_of_a_transaction_is_seen_when_it_commits),
      cmocka_unit_test(an_offset_of_an_aborted_transaction_is_never_seen),
      cmocka_unit_test(of_a_transaction_and_a_plain_commit_the_later_written_one_holds),
      cmocka_unit_test(offsets_of_an_empty_group_expire_and_the_group_with_them),
      cmocka_unit_test(what_could_not_be_expired_is_expired_later),
      cmocka_unit_test(a_deleted_group_has_no_offsets),
      cmocka_unit_test(offsets_of_a_deleted_topic_go),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
