// Streams groups: topologies, epochs, which tasks members get and in which order, what they are told, and that the log tells all of it.
#include <algorithm>
#include <random>

#include "tests/unit/broker/group/driver.hpp"
#include "tests/unit/cmocka.hpp"

namespace kq::group {
namespace {

using Request = StreamsGroupHeartbeatRequest;
using Topics = std::map<std::string, size_t>;

std::shared_ptr<const cluster::Image> image_with(const Topics& topics, const cluster::ConfigMap& group_settings = {}) {
  auto image = std::make_shared<cluster::Image>();
  uint8_t number = 0;
  for (const auto& [name, partitions] : topics) {
    auto topic = std::make_shared<cluster::TopicImage>();
    topic->name = name;
    topic->id.bytes.back() = std::byte{++number};
    topic->partitions.resize(partitions);
    for (auto& partition : topic->partitions) partition.replicas = {1};
    image->topics.put(name, topic);
    image->topics_by_id.put(topic->id, topic);
  }
  image->configs.put({cluster::ResourceType::group, "g"}, std::make_shared<const cluster::ConfigMap>(group_settings));
  return image;
}

// Reads `in`, and counts what it reads in a state that a changelog keeps.
Request::Topology counting(int32_t epoch = 0) {
  Request::Topology topology;
  topology.epoch = epoch;
  auto& subtopology = topology.subtopologies.emplace_back();
  subtopology.subtopology_id = "0";
  subtopology.source_topics = {"in"};
  auto& changelog = subtopology.state_changelog_topics.emplace_back();
  changelog.name = "count-changelog";
  changelog.topic_configs.push_back({"cleanup.policy", "compact"});
  return topology;
}

// Reads `in`, splits it anew into `again`, whose partitions are to be worked out, and counts there.
Request::Topology regrouping(int32_t fixed_partitions = 0) {
  Request::Topology topology;
  auto& first = topology.subtopologies.emplace_back();
  first.subtopology_id = "0";
  first.source_topics = {"in"};
  first.repartition_sink_topics = {"again"};
  auto& second = topology.subtopologies.emplace_back();
  second.subtopology_id = "1";
  auto& again = second.repartition_source_topics.emplace_back();
  again.name = "again";
  again.partitions = fixed_partitions;
  second.state_changelog_topics.emplace_back().name = "count-changelog";
  return topology;
}

struct Told {
  int32_t epoch = 0;
  TaskSets tasks;  // what it has
};

struct Fixture : Driver {
  explicit Fixture(const Topics& topics = {{"in", 4}, {"count-changelog", 4}}, const cluster::ConfigMap& settings = {})
      : Driver(at_once()) {
    see(image_with(topics, settings));
  }
  static GroupConfig at_once() {
    GroupConfig config;
    config.streams_initial_rebalance_delay = 0s;
    return config;
  }
  void see(std::shared_ptr<const cluster::Image> next) {
    image = std::move(next);
    shard->metadata_changed(now, image, {});
  }

  StreamsHeartbeatAnswer send(const Request& request) {
    StreamsHeartbeatAnswer answer;
    run([&](Writes& writes) {
      answer = shard->streams().heartbeat(now, {.version = 0, .client_id = "c", .client_host = "/h"}, request, writes);
    });
    return answer;
  }
  static Request joining(const std::string& member, const std::string& process, Request::Topology topology) {
    Request request;
    request.group_id = "g";
    request.member_id = member;
    request.rebalance_timeout_ms = 60'000;
    request.process_id = process;
    request.topology = std::move(topology);
    request.active_tasks.emplace(), request.standby_tasks.emplace(), request.warmup_tasks.emplace();
    return request;
  }
  StreamsHeartbeatAnswer join(const std::string& member, const std::string& process, Request::Topology topology = counting()) {
    told.erase(member);
    return note(member, send(joining(member, process, std::move(topology))));
  }
  // Says what it has, as it was told last: what it lost in the last answer it has given up.
  StreamsHeartbeatAnswer beat(const std::string& member, bool says = true) {
    Request request;
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = told[member].epoch;
    const auto fill = [](const Tasks& tasks, auto& to) {
      to.emplace();
      for (const auto& [subtopology, partitions] : tasks) to->push_back({subtopology, {partitions.begin(), partitions.end()}});
    };
    if (says) {
      fill(told[member].tasks.active, request.active_tasks);
      fill(told[member].tasks.standby, request.standby_tasks);
      request.warmup_tasks.emplace();
    }
    return note(member, send(request));
  }
  StreamsHeartbeatAnswer note(const std::string& member, StreamsHeartbeatAnswer answer) {
    if (answer.body.error_code != Code::none) return answer;
    Told& of = told[member];
    of.epoch = answer.body.member_epoch;
    if (!answer.body.active_tasks) return answer;
    const auto take = [](const auto& entries, Tasks& tasks) {
      tasks.clear();
      for (const auto& entry : entries)
        tasks[std::string(entry.subtopology_id)].insert(entry.partitions.begin(), entry.partitions.end());
    };
    take(*answer.body.active_tasks, of.tasks.active);
    take(*answer.body.standby_tasks, of.tasks.standby);
    return answer;
  }
  void settle() {
    for (int round = 0; round < 6; ++round)
      for (auto& [member, of] : std::map<std::string, Told>(told)) beat(member);
  }
  StreamsHeartbeatAnswer leave(const std::string& member, bool shutdown = false) {
    Request request;
    request.group_id = "g";
    request.member_id = member;
    request.member_epoch = -1;
    request.shutdown_application = shutdown;
    told.erase(member);
    return send(request);
  }
  const StreamsGroup* group() const { return shard->groups().find<StreamsGroup>("g"); }
  std::string state() const { return std::string(group()->state_name()); }
  std::string active(const std::string& member) { return text_of(told[member].tasks.active); }
  std::string standby(const std::string& member) { return text_of(told[member].tasks.standby); }
  static std::string text_of(const Tasks& tasks) {  // "0:01 1:3"
    std::string text;
    for (const auto& [subtopology, partitions] : tasks) {
      text += (text.empty() ? "" : " ") + subtopology + ":";
      for (const int32_t partition : partitions) text += std::to_string(partition);
    }
    return text;
  }

  std::map<std::string, Told> told;
};

void expect_text(const std::string& is, const char* wanted) { assert_string_equal(is.c_str(), wanted); }

int8_t status_of(const StreamsHeartbeatAnswer& answer, size_t at = 0) {
  assert_true(answer.body.status && answer.body.status->size() > at);
  return (*answer.body.status)[at].status_code;
}

std::string detail_of(const StreamsHeartbeatAnswer& answer) { return std::string(answer.body.status->at(0).status_detail); }

/* The first member gets all tasks at once; a second one gets its half when the first has given it up. */
void tasks_are_given_up_before_they_are_given(void**) {
  Fixture f;
  const auto first = f.join("a", "p1");
  assert_int_equal(first.body.member_epoch, 2);
  assert_true(first.body.status->empty());
  expect_text(f.active("a"), "0:0123");
  expect_text(f.state(), "Stable");

  f.join("b", "p2");
  expect_text(f.active("b"), "");
  expect_text(f.state(), "Reconciling");
  f.beat("a");
  expect_text(f.active("a"), "0:01");
  f.beat("b");
  expect_text(f.active("b"), "");  // a has not said yet that it gave them up
  f.beat("a");
  f.beat("b");
  expect_text(f.active("b"), "0:23");
  f.settle();
  expect_text(f.state(), "Stable");
  f.leave("a");
  f.beat("b");
  expect_text(f.active("b"), "0:0123");
}

void what_a_member_does_not_say_it_gave_up_it_still_has(void**) {
  Fixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  f.beat("a");
  f.beat("a", false);
  f.beat("b");
  expect_text(f.active("b"), "");
  f.beat("a");
  f.beat("b");
  expect_text(f.active("b"), "0:23");
}

void who_does_not_give_up_in_time_is_removed(void**) {
  Fixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  f.beat("a");
  for (int i = 0; i < 3; ++i) {
    f.advance(20s);
    f.beat("b");
    f.beat("a", false);
  }
  assert_null(f.group()->member("a"));
  f.beat("b");
  expect_text(f.active("b"), "0:0123");
  assert_true(f.beat("a").body.error_code == Code::unknown_member_id);
}

void who_is_silent_is_removed(void**) {
  Fixture f;
  f.join("a", "p1");
  f.advance(30s);
  f.join("b", "p2");
  f.advance(16s);
  assert_null(f.group()->member("a"));
  f.settle();
  expect_text(f.active("b"), "0:0123");
}

void strange_epochs_and_members_are_refused(void**) {
  Fixture f;
  assert_true(f.beat("a").body.error_code == Code::invalid_request || f.group() == nullptr);
  f.join("a", "p1");
  f.told["b"].epoch = 3;
  assert_true(f.beat("b").body.error_code == Code::unknown_member_id);
  f.told["a"].epoch = 7;
  assert_true(f.beat("a").body.error_code == Code::fenced_member_epoch);
  f.told["a"].epoch = 1;
  assert_true(f.beat("a").body.error_code == Code::fenced_member_epoch);
  assert_true(f.join("a", "p1").body.error_code == Code::none);  // begins anew
  expect_text(f.active("a"), "0:0123");
  f.told["a"].tasks.active["9"] = {0};
  assert_true(f.beat("a").body.error_code == Code::invalid_request);
}

/* An answer may be lost: the member comes again with the epoch that it knows. */
void a_lost_answer_is_told_again(void**) {
  Fixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  const Told before = f.told["a"];
  f.beat("a");
  f.beat("a");
  f.beat("b");
  assert_true(f.told["a"].epoch > before.epoch);
  f.told["a"].epoch = before.epoch;
  assert_true(f.beat("a").body.error_code == Code::none);  // has what it had, or less
}

void source_topics_that_are_missing_are_named(void**) {
  Fixture f(Topics{});
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
  Fixture f({{"in", 3}});
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
  Fixture f({{"in", 3}, {"again", 2}, {"count-changelog", 3}});
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
  Fixture f({{"in", 3}, {"other", 7}});
  const auto answer = f.join("a", "p1", topology);
  assert_int_equal(answer.create.size(), 2);
  assert_int_equal(answer.create[0].partitions, 7);

  topology.subtopologies[1].source_topics = {"other", "in"};
  topology.subtopologies[1].copartition_groups[0].source_topics = {0, 1};
  Fixture g({{"in", 3}, {"other", 7}});
  const auto refused = g.join("a", "p1", topology);
  assert_int_equal(status_of(refused), 2);
  expect_text(detail_of(refused), "Following topics do not have the same number of partitions: [{in=3, other=7}]");

  topology.subtopologies[1].copartition_groups[0].source_topics = {9};
  Fixture h({{"in", 3}, {"other", 7}});
  assert_true(h.join("a", "p1", topology).body.error_code == Code::streams_invalid_topology);
  assert_null(h.group());
}

void topologies_without_an_end_are_refused(void**) {
  auto loop = regrouping();
  loop.subtopologies[0].source_topics.clear();
  loop.subtopologies[0].repartition_source_topics.emplace_back().name = "back";
  loop.subtopologies[1].repartition_sink_topics = {"back"};
  Fixture f;
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
  Fixture f;
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
  Fixture f({{"in", 4}, {"count-changelog", 4}}, {{"streams.num.standby.replicas", "1"}});
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
  Fixture f({{"in", 4}, {"count-changelog", 4}}, {{"streams.num.standby.replicas", "1"}});
  f.join("a", "p1");
  f.join("b", "p1");
  f.settle();
  expect_text(f.standby("a"), "");
  expect_text(f.standby("b"), "");
  expect_text(f.active("b"), "0:23");
}

void another_setting_rebalances(void**) {
  const Topics topics{{"in", 4}, {"count-changelog", 4}};
  Fixture f(topics);
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
  Fixture f({{"in", 2}});
  Request::Topology stateless = counting();
  stateless.subtopologies[0].state_changelog_topics.clear();
  f.join("a", "p1", stateless);
  expect_text(f.active("a"), "0:01");
  f.see(image_with({{"in", 3}}));
  f.beat("a");
  expect_text(f.active("a"), "0:012");
}

void the_first_members_wait_for_each_other(void**) {
  Fixture f({{"in", 4}, {"count-changelog", 4}}, {{"streams.initial.rebalance.delay.ms", "3000"}});
  const auto first = f.join("a", "p1");
  assert_int_equal(first.body.member_epoch, 1);
  assert_int_equal(status_of(first), 5);
  f.advance(2s);
  f.join("b", "p2");
  expect_text(f.state(), "Assigning");
  f.advance(1s);
  assert_int_equal(f.group()->target_epoch(), f.group()->epoch().epoch);
  assert_true(f.beat("a").body.status->empty());
  f.beat("b");
  expect_text(f.active("a"), "0:02");
  expect_text(f.active("b"), "0:13");
  expect_text(f.state(), "Stable");
}

void who_wants_the_application_to_end_is_told_on(void**) {
  Fixture f;
  f.join("a", "p1");
  f.join("b", "p2");
  f.leave("a", true);
  const auto answer = f.beat("b");
  assert_int_equal(status_of(answer), 4);
  expect_text(detail_of(answer),
              "Streams group member a encountered a fatal error and requested a shutdown for the entire application.");
  f.leave("b");
  assert_true(f.join("c", "p3").body.status->empty());  // a group that was empty begins anew
}

void members_learn_who_has_which_partitions(void**) {
  Fixture f;
  auto request = Fixture::joining("a", "p1", counting());
  request.user_endpoint = Request::Endpoint{"host", 8080};
  f.note("a", f.send(request));
  f.join("b", "p2");
  f.settle();
  const auto told = f.beat("b");
  assert_true(told.body.endpoint_information_epoch > 0);
  const auto& all = *told.body.partitions_by_user_endpoint;
  assert_int_equal(all.size(), 1);
  expect_text(std::string(all[0].user_endpoint.host), "host");
  expect_text(std::string(all[0].active_partitions.at(0).topic), "in");
  assert_int_equal(all[0].active_partitions.at(0).partitions.size(), 2);
  Request knows;
  knows.group_id = "g", knows.member_id = "b";
  knows.member_epoch = f.told["b"].epoch;
  knows.endpoint_information_epoch = told.body.endpoint_information_epoch;
  assert_false(f.send(knows).body.partitions_by_user_endpoint.has_value());
}

void a_full_group_takes_nobody(void**) {
  Fixture f;
  f.config.streams_max_size = 1;
  f.restart();
  f.join("a", "p1");
  assert_true(f.join("b", "p2").body.error_code == Code::group_max_size_reached);
}

Code commit(Fixture& f, const char* member, int32_t epoch, int32_t partition, int16_t version = 9) {
  OffsetCommitRequest request;
  request.group_id = "g";
  request.member_id = member;
  request.generation_id_or_member_epoch = epoch;
  auto& topic = request.topics.emplace_back();
  topic.name = "in";
  topic.partitions.push_back({.partition_index = partition, .committed_offset = 7});
  OffsetCommitResponse response;
  Code code = Code::none;
  f.run([&](Writes& writes) { code = f.shard->offsets().commit(f.now, version, request, response, writes); });
  return code;
}

/* A task that stays with its member may be committed with the epoch that the member knew when it got it. */
void offsets_are_fenced_by_task(void**) {
  Fixture f;
  f.join("a", "p1");
  const int32_t first = f.told["a"].epoch;
  assert_true(commit(f, "a", first, 0) == Code::none);
  assert_true(commit(f, "a", first, 0, 8) == Code::unsupported_version);
  assert_true(commit(f, "x", first, 0) == Code::unknown_member_id);
  assert_true(commit(f, "a", first + 9, 0) == Code::stale_member_epoch);
  f.join("b", "p2");
  f.settle();
  assert_true(f.told["a"].epoch > first);
  assert_true(commit(f, "a", first, 0) == Code::none);
  assert_true(commit(f, "a", first, 3) == Code::stale_member_epoch);  // b has it
  assert_true(commit(f, "b", first, 3) == Code::stale_member_epoch);  // it got it later
  assert_true(commit(f, "b", f.told["b"].epoch, 3) == Code::none);
  assert_true(commit(f, "", -1, 0) == Code::unknown_member_id);
  f.leave("a");
  f.leave("b");
  assert_true(commit(f, "", -1, 0) == Code::none);  // an administrator, while nobody is there
}

void an_empty_group_can_be_deleted_or_become_another(void**) {
  Fixture f;
  f.join("a", "p1");
  commit(f, "a", f.told["a"].epoch, 0);
  assert_true(f.run([&](Writes& writes) { assert_true(f.shard->remove("g", writes) == Code::non_empty_group); }) == Code::none);
  ConsumerGroupHeartbeatRequest consumer;
  consumer.group_id = "g", consumer.member_id = "c", consumer.rebalance_timeout_ms = 1000;
  consumer.subscribed_topic_names.emplace(), consumer.topic_partitions.emplace();
  const auto other = [&] {
    Code code = Code::none;
    f.run([&](Writes& writes) {
      code = f.shard->heartbeat(f.now, {.version = 1, .client_id = "c", .client_host = "/h"}, consumer, writes).body.error_code;
    });
    return code;
  };
  assert_true(other() == Code::group_id_not_found);
  f.leave("a");
  expect_text(f.state(), "Empty");
  assert_true(other() == Code::group_id_not_found);
  f.run([&](Writes& writes) { assert_true(f.shard->remove("g", writes) == Code::none); });
  assert_null(f.group());
  assert_null(f.restarted()->groups().find("g"));
  assert_true(f.leave("a").body.error_code == Code::group_id_not_found);
}

void a_refused_write_changes_nothing(void**) {
  Fixture f;
  f.refuse = Code::not_enough_replicas;
  f.join("a", "p1");
  assert_null(f.group());
  f.refuse = Code::none;
  f.told.clear();
  f.join("a", "p1");
  expect_text(f.active("a"), "0:0123");
  f.refuse = Code::not_enough_replicas;
  f.now.instant += 60s;
  f.run([&](Writes& writes) { f.shard->tick(f.now, writes); });
  assert_non_null(f.group()->member("a"));
  f.refuse = Code::none;
  f.advance(1s);
  assert_null(f.group()->member("a"));
}

void a_group_is_described(void**) {
  Fixture f;
  f.join("a", "p1", regrouping());
  StreamsGroupDescribeResponse::DescribedGroup told;
  Texts texts;
  f.shard->streams().describe("g", told, texts);
  expect_text(std::string(told.group_state), "NotReady");
  f.see(image_with({{"in", 3}, {"again", 3}, {"count-changelog", 3}}));
  f.beat("a");
  told = {};
  f.shard->streams().describe("g", told, texts);
  expect_text(std::string(told.group_state), "Stable");
  assert_int_equal(told.topology->subtopologies->size(), 2);
  assert_int_equal(told.topology->subtopologies->at(1).repartition_source_topics.at(0).partitions, 3);
  assert_int_equal(told.members.at(0).assignment.active_tasks.size(), 2);
  assert_int_equal(told.members.at(0).target_assignment.active_tasks.size(), 2);
  told = {};
  f.shard->streams().describe("other", told, texts);
  assert_true(told.error_code == Code::group_id_not_found);
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

// At any time: a task is active at one member at most, and in one role in a process; in the end all run; the log tells the same.
void random_runs_never_give_a_task_twice_and_replay_to_the_same(void**) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    Fixture f({{"in", 5}, {"count-changelog", 5}}, {{"streams.num.standby.replicas", std::to_string(seed % 3)}});
    for (int step = 0; step < 150; ++step) {
      const size_t number = random() % 5;
      const std::string member = "m" + std::to_string(number), process = "p" + std::to_string(number % 3);
      const bool known = f.told.contains(member);
      switch (random() % 12) {
        case 0:
          if (known) f.leave(member);
          break;
        case 1: f.advance(std::chrono::seconds(random() % 30)); break;
        case 2:
          f.refuse = Code::not_enough_replicas;
          if (known) {
            const Told before = f.told[member];
            f.beat(member);
            f.told[member] = before;
          }
          f.refuse = Code::none;
          break;
        case 3: f.restart(); break;
        default:
          if (!known)
            f.join(member, process);
          else if (f.beat(member).body.error_code != Code::none)
            f.join(member, process);
      }
      if (!f.group()) continue;
      std::map<TaskId, std::string> active;
      std::set<std::pair<TaskId, std::string>> in_process;
      for (const auto& [id, of] : f.group()->members())
        for (const HeldTasks* held : {&of.assigned, &of.pending_revocation}) {
          for (const auto& [subtopology, partitions] : held->active)
            for (const auto& [partition, epoch] : partitions) {
              assert_true(active.try_emplace({subtopology, partition}, id).second);
              assert_true(in_process.insert({{subtopology, partition}, of.process_id}).second);
            }
          for (const auto& [subtopology, partitions] : held->standby)
            for (const int32_t partition : partitions)
              assert_true(in_process.insert({{subtopology, partition}, of.process_id}).second);
        }
      assert_true(*f.restarted()->groups().find<StreamsGroup>("g") == *f.group());
    }
    if (f.told.empty()) f.join("last", "p9");
    for (auto& [member, of] : std::map<std::string, Told>(f.told))
      if (f.beat(member).body.error_code != Code::none) f.join(member, "p" + std::to_string((member.back() - '0') % 3));
    f.advance(44s);
    f.settle();
    f.advance(44s);
    f.settle();
    expect_text(f.state(), "Stable");
    size_t running = 0;
    for (const auto& [member, of] : f.told)
      for (const auto& [subtopology, partitions] : of.tasks.active) running += partitions.size();
    assert_int_equal(running, 5);
  }
}

}  // namespace
}  // namespace kq::group

int main() {
  using namespace kq::group;
  const CMUnitTest tests[] = {
      cmocka_unit_test(tasks_are_given_up_before_they_are_given),
      cmocka_unit_test(what_a_member_does_not_say_it_gave_up_it_still_has),
      cmocka_unit_test(who_does_not_give_up_in_time_is_removed),
      cmocka_unit_test(who_is_silent_is_removed),
      cmocka_unit_test(strange_epochs_and_members_are_refused),
      cmocka_unit_test(a_lost_answer_is_told_again),
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
      cmocka_unit_test(the_first_members_wait_for_each_other),
      cmocka_unit_test(who_wants_the_application_to_end_is_told_on),
      cmocka_unit_test(members_learn_who_has_which_partitions),
      cmocka_unit_test(a_full_group_takes_nobody),
      cmocka_unit_test(offsets_are_fenced_by_task),
      cmocka_unit_test(an_empty_group_can_be_deleted_or_become_another),
      cmocka_unit_test(a_refused_write_changes_nothing),
      cmocka_unit_test(a_group_is_described),
      cmocka_unit_test(any_assignment_is_complete_and_even),
      cmocka_unit_test(random_runs_never_give_a_task_twice_and_replay_to_the_same),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
