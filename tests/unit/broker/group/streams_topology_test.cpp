// Streams groups: topologies and their topics, and which member gets which tasks.
#include <random>

#include "tests/unit/broker/group/streams_fixture.hpp"

namespace kq::group {
namespace {

void source_topics_that_are_missing_are_named(void**) {
  StreamsFixture f(Topics{});
  const auto answer = f.join("a", "p1");
  assert_int_equal(status_of(answer), 1);
  expect_text(detail_of(answer), "Source topics in are missing.");
  assert_true(answer.create.empty());
  expect_text(f.state(), "NotReady");
  f.see(image_with({{"in", 2}}));
  assert_int_equal(status_of(f.beat("a")), 3);
  f.see(image_with({{"in", 2}, {"count-changelog", 2}}));
  assert_true(f.beat("a").body.status->empty());
  expect_text(f.active("a"), "0:01");
  expect_text(f.state(), "Stable");
}

void internal_topics_that_are_missing_are_to_be_made(void**) {
  StreamsFixture f({{"in", 3}});
  const auto answer = f.join("a", "p1", regrouping());
  assert_int_equal(status_of(answer), 3);
  expect_text(detail_of(answer), "Internal topics are missing: again, count-changelog");
  assert_int_equal(answer.create.size(), 2);
  assert_int_equal(answer.create[0].partitions, 3);  // as upstream
  assert_int_equal(answer.create[1].partitions, 3);
  expect_text(f.active("a"), "");
  f.see(image_with({{"in", 3}, {"again", 3}, {"count-changelog", 3}}));
  f.beat("a");
  expect_text(f.active("a"), "0:012 1:012");
}

void topics_that_do_not_fit_are_refused(void**) {
  StreamsFixture f({{"in", 3}, {"again", 2}, {"count-changelog", 3}});
  const auto answer = f.join("a", "p1", regrouping(5));
  assert_int_equal(status_of(answer), 2);
  expect_text(detail_of(answer), "Existing topic again has different number of partitions: expected 5, found 2");
  expect_text(f.state(), "NotReady");
}

void copartitioned_topics_get_as_many_partitions(void**) {
  auto topology = regrouping();
  auto& second = topology.subtopologies[1];
  second.source_topics = {"other"};
  second.copartition_groups.push_back({.source_topics = {0}, .source_topic_regex = {}, .repartition_source_topics = {0}});
  StreamsFixture f({{"in", 3}, {"other", 7}});
  const auto answer = f.join("a", "p1", topology);
  assert_int_equal(answer.create.size(), 2);
  assert_int_equal(answer.create[0].partitions, 7);

  topology.subtopologies[1].source_topics = {"other", "in"};
  topology.subtopologies[1].copartition_groups[0].source_topics = {0, 1};
  StreamsFixture g({{"in", 3}, {"other", 7}});
  const auto refused = g.join("a", "p1", topology);
  assert_int_equal(status_of(refused), 2);
  expect_text(detail_of(refused), "Following topics do not have the same number of partitions: [{in=3, other=7}]");

  topology.subtopologies[1].copartition_groups[0].source_topics = {9};
  StreamsFixture h({{"in", 3}, {"other", 7}});
  assert_true(h.join("a", "p1", topology).body.error_code == Code::streams_invalid_topology);
  assert_null(h.group());
}

void topologies_without_an_end_are_refused(void**) {
  auto loop = regrouping();
  loop.subtopologies[0].source_topics.clear();
  loop.subtopologies[0].repartition_source_topics.emplace_back().name = "back";
  loop.subtopologies[1].repartition_sink_topics = {"back"};
  StreamsFixture f;
  assert_true(f.join("a", "p1", loop).body.error_code == Code::streams_invalid_topology);
  auto unwritten = regrouping();
  unwritten.subtopologies[0].repartition_sink_topics.clear();
  assert_true(f.join("a", "p1", unwritten).body.error_code == Code::streams_invalid_topology);
  auto nothing = counting();
  nothing.subtopologies[0].source_topics.clear();
  assert_true(f.join("a", "p1", nothing).body.error_code == Code::streams_invalid_topology);
  assert_null(f.group());
}

/* Each repartition topic hangs on the one before it, and the subtopologies come in the worst order. */
void long_chains_of_repartition_topics_are_worked_out(void**) {
  constexpr int length = 20'000;
  const auto name = [](int number) { return std::to_string(100'000 - number); };
  std::vector<std::string> names;
  for (int i = 0; i <= length; ++i) names.push_back(name(i));
  StreamsTopology topology;
  for (int i = 0; i < length; ++i) {
    Subtopology& subtopology = topology.subtopologies[names[i]];
    subtopology.id = names[i];
    if (i == 0)
      subtopology.source_topics = {"in"};
    else
      subtopology.repartition_source_topics.push_back({.name = "r" + names[i - 1], .configs = {}});
    subtopology.repartition_sink_topics = {"r" + names[i]};
  }
  const auto configured = configure(topology, *image_with({{"in", 3}}));
  assert_true(configured.invalid.empty());
  assert_int_equal(configured.to_create.size(), length - 1);
  assert_int_equal(configured.to_create.begin()->second.partitions, 3);
}

void a_group_keeps_its_topology(void**) {
  StreamsFixture f;
  f.join("a", "p1", counting(1));
  assert_true(f.join("b", "p2", regrouping()).body.error_code == Code::none);  // an older one: it is told
  assert_true(f.join("b", "p2", counting(2)).body.error_code == Code::invalid_request);
  auto same_epoch = counting(1);
  same_epoch.subtopologies[0].subtopology_id = "x";
  assert_true(f.join("b", "p2", same_epoch).body.error_code == Code::invalid_request);
  const auto stale = f.join("c", "p3", counting(0));
  assert_int_equal(status_of(stale), 0);
  expect_text(detail_of(stale), "The member's topology epoch 0 is behind the group's topology epoch 1.");
}

void standby_tasks_are_in_other_processes(void**) {
  StreamsFixture f({{"in", 4}, {"count-changelog", 4}}, {{"streams.num.standby.replicas", "1"}});
  f.join("a", "p1");
  expect_text(f.standby("a"), "");
  f.join("b", "p2");
  f.settle();
  expect_text(f.active("a"), "0:01");
  expect_text(f.standby("a"), "0:23");
  expect_text(f.active("b"), "0:23");
  expect_text(f.standby("b"), "0:01");
  // The state is where the standby was: there the task goes.
  f.leave("a");
  f.settle();
  expect_text(f.active("b"), "0:0123");
  expect_text(f.standby("b"), "");
}

void two_members_of_a_process_do_not_stand_by_for_each_other(void**) {
  StreamsFixture f({{"in", 4}, {"count-changelog", 4}}, {{"streams.num.standby.replicas", "1"}});
  f.join("a", "p1");
  f.join("b", "p1");
  f.settle();
  expect_text(f.standby("a"), "");
  expect_text(f.standby("b"), "");
  expect_text(f.active("b"), "0:23");
}

void another_setting_rebalances(void**) {
  const Topics topics{{"in", 4}, {"count-changelog", 4}};
  StreamsFixture f(topics);
  f.join("a", "p1");
  f.join("b", "p2");
  f.settle();
  const int32_t epoch = f.group()->epoch().epoch;
  f.see(image_with(topics, {{"streams.num.standby.replicas", "1"}, {"streams.heartbeat.interval.ms", "7000"}}));
  assert_int_equal(f.beat("a").body.heartbeat_interval_ms, 7000);
  assert_int_equal(f.group()->epoch().epoch, epoch + 1);
  f.settle();
  expect_text(f.standby("a"), "0:23");
}

void more_partitions_are_more_tasks(void**) {
  StreamsFixture f({{"in", 2}});
  Request::Topology stateless = counting();
  stateless.subtopologies[0].state_changelog_topics.clear();
  f.join("a", "p1", stateless);
  expect_text(f.active("a"), "0:01");
  f.see(image_with({{"in", 3}}));
  f.beat("a");
  expect_text(f.active("a"), "0:012");
}

// Every task is active once, standby tasks are in other processes, and members of equal processes have equal shares.
void any_assignment_is_complete_and_even(void**) {
  std::mt19937 random(11);
  StreamsTargets before;
  for (int round = 0; round < 400; ++round) {
    StreamsAssignorInput input;
    input.standby_replicas = static_cast<int32_t>(random() % 3);
    input.subtopologies = {{"0", static_cast<int32_t>(1 + random() % 6), true},
                           {"1", static_cast<int32_t>(1 + random() % 4), false}};
    std::vector<std::string> names, processes;
    const size_t count = 1 + random() % 6;
    for (size_t i = 0; i < count; ++i)
      names.push_back("m" + std::to_string(i + random() % 2 * 10)), processes.push_back("p" + std::to_string(random() % 4));
    std::ranges::sort(names);
    for (size_t i = 0; i < names.size(); ++i) {
      const auto had = before.find(names[i]);
      input.members.push_back({names[i], processes[i], had == before.end() ? nullptr : &had->second});
    }
    const auto targets = assign_sticky(input);
    std::map<TaskId, int> active;
    std::map<TaskId, std::set<std::string>> places;
    size_t most = 0, total = 0;
    for (const auto& member : input.members) {
      const TaskSets& target = targets.at(std::string(member.id));
      size_t mine = 0;
      for (const auto* tasks : {&target.active, &target.standby})
        for (const auto& [subtopology, partitions] : *tasks)
          for (const int32_t partition : partitions) {
            const TaskId task{subtopology, partition};
            if (tasks == &target.active) ++active[task], ++mine;
            assert_true(places[task].insert(std::string(member.process_id)).second);  // once in a process
          }
      most = std::max(most, mine), total += mine;
    }
    const std::set<std::string> distinct(processes.begin(), processes.end());
    for (const auto& subtopology : input.subtopologies)
      for (int32_t partition = 0; partition < subtopology.tasks; ++partition) {
        const TaskId task{std::string(subtopology.id), partition};
        assert_int_equal(active[task], 1);
        const size_t wanted =
            subtopology.stateful ? std::min<size_t>(distinct.size(), 1 + static_cast<size_t>(input.standby_replicas)) : 1;
        assert_int_equal(places[task].size(), wanted);
      }
    if (input.standby_replicas == 0) assert_true(most <= (total + names.size() - 1) / names.size() + 1);
    before = targets;
  }
}

}  // namespace
}  // namespace kq::group

int main() {
  using namespace kq::group;
  const CMUnitTest tests[] = {
      cmocka_unit_test(source_topics_that_are_missing_are_named),
      cmocka_unit_test(internal_topics_that_are_missing_are_to_be_made),
      cmocka_unit_test(topics_that_do_not_fit_are_refused),
      cmocka_unit_test(copartitioned_topics_get_as_many_partitions),
      cmocka_unit_test(topologies_without_an_end_are_refused),
      cmocka_unit_test(long_chains_of_repartition_topics_are_worked_out),
      cmocka_unit_test(a_group_keeps_its_topology),
      cmocka_unit_test(standby_tasks_are_in_other_processes),
      cmocka_unit_test(two_members_of_a_process_do_not_stand_by_for_each_other),
      cmocka_unit_test(another_setting_rebalances),
      cmocka_unit_test(more_partitions_are_more_tasks),
      cmocka_unit_test(any_assignment_is_complete_and_even),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
