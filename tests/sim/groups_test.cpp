// Members of groups come, go, are killed and read on, transactional applications among them, while connections break and the broker dies
// between any two writes.  group_history.hpp says what has to hold all the time; at last every partition is owned, everything was
// read and committed, and what was transformed in transactions is there once.
#include <algorithm>

#include "tests/sim/coordinator_logs.hpp"
#include "tests/sim/members.hpp"

#include "tests/sim/seeds.hpp"

using namespace kq;
using namespace kq::sim;
using std::chrono::milliseconds;

namespace {

constexpr int records = 60;
constexpr int unrest_turns = 500;
constexpr Duration patience = 5min;              // of simulated time, once nothing breaks any more

struct GroupPlan {
  std::string name;
  Commits commits;
  std::vector<std::string> protocols;            // of which a member has one
  size_t members_max;
  bool static_members;
  bool by_pattern;
};

// What the seed draws.
struct Plan {
  explicit Plan(uint64_t seed) : random(seed * 7919 + 3) {
    calm = random.one_in(5);
    partitions = 1 + static_cast<int32_t>(random.below(4));
    world.broker = {{"num.partitions", std::to_string(partitions)},
                    {"offsets.topic.num.partitions", "2"},
                    {"transaction.state.log.num.partitions", "2"},
                    {"group.consumer.min.session.timeout.ms", "6000"},
                    {"group.consumer.session.timeout.ms", "6000"},
                    {"group.consumer.min.heartbeat.interval.ms", "1000"},
                    {"group.consumer.heartbeat.interval.ms", "1000"},
                    {"transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"}};
    world.network.delay_max = std::chrono::microseconds(200 + random.below(random.one_in(4) ? 200'000 : 20'000));
    if (!calm) world.draw_faults(random);
    draw_group("a");
    if (random.one_in(2)) draw_group("b");
    client = {{"request.timeout.ms", std::to_string(random.one_in(2) ? 3000 : 8000 + random.below(8000))},
              {"fetch.max.wait.ms", "3000"},
              {"max.poll.records", std::to_string(1 + random.below(20))},
              {"max.poll.interval.ms", std::to_string(calm ? 300'000 : 8000 + random.below(12'000))},
              {"auto.commit.interval.ms", std::to_string(100 + random.below(2000))},
              {"heartbeat.interval.ms", "1000"},
              {"session.timeout.ms", std::to_string(6000 + random.below(4000))}};
    restart_at_end = random.one_in(2);
  }

  void draw_group(const std::string& name) {
    GroupPlan group{.name = name, .commits = static_cast<Commits>(random.below(4)), .protocols = {}, .members_max = 1 + random.below(4),
                    .static_members = !calm && random.one_in(4), .by_pattern = random.one_in(4)};
    const std::vector<std::string> all[] = {{"range"}, {"roundrobin"}, {"cooperative-sticky"}, {"range,cooperative-sticky"}, {"consumer"},
                                            {"consumer"}, {"consumer"}, {"consumer", "range"}};
    group.protocols = all[random.below(std::size(all))];
    // Where a group goes back to the classic protocol a member that has not caught up loses its partitions, as with Apache Kafka.
    if (calm && group.protocols.size() > 1) group.protocols.pop_back();
    groups.push_back(std::move(group));
  }

  Random random;
  WorldOptions world;
  bool calm;
  int32_t partitions;
  std::vector<GroupPlan> groups;
  std::vector<client::Setting> client;
  bool restart_at_end;
};

// A group, with places for so many members.
struct Group {
  Group(World& world, const GroupPlan& its_plan, int32_t partitions, bool calm)
      : plan(its_plan), history(world, plan.name, "in", partitions, calm), places(plan.members_max) {
    history.commits_what_was_polled_before = plan.commits == Commits::by_itself;
    history.nothing_comes_again = plan.commits != Commits::asynchronously;
  }
  const GroupPlan& plan;
  GroupHistory history;
  std::vector<std::unique_ptr<Member>> places;
  int started = 0;
};

class GroupsUnderFire {
 public:
  explicit GroupsUnderFire(uint64_t seed) : plan_(seed), world_(seed, plan_.world), sent_(static_cast<size_t>(plan_.partitions)) {
    std::set<std::string> names;
    for (const GroupPlan& group : plan_.groups) {
      groups_.push_back(std::make_unique<Group>(world_, group, plan_.partitions, plan_.calm));
      names.insert(group.name);
    }
    logs_ = std::make_unique<CoordinatorLogs>(world_, std::move(names));
  }

  // An exception tells what went wrong.
  void run() {
    producer_ = world_.producer({{"linger.ms", "0"}, {"delivery.timeout.ms", "3600000"}, {"request.timeout.ms", "3000"}});
    for (int turn = 0; turn < unrest_turns; ++turn) {
      feed(turn * records / unrest_turns);
      unrest();
      rest();
    }
    world_.stop_faults();
    settle();
    logs_->compare();
    disband();
    if (plan_.restart_at_end) world_.restart_cleanly();
    look_at_logs();
    logs_->compare();
    for (const auto& group : groups_)
      if (group->plan.commits == Commits::in_transactions) compare_output(*group);
  }
  int lives() const { return world_.lives(); }
  const std::string& trace() const { return world_.trace(); }

 private:
  static void expect(bool holds, const std::string& else_text) {
    if (!holds) throw std::runtime_error(else_text);
  }
  Random& random() { return world_.random(); }
  static std::string output_of(const Group& group) { return "out-" + group.plan.name; }

  // ---- what goes in -------------------------------------------------------------------------------------------------------------

  void feed(int up_to) {
    while (fed_ < up_to) {
      const auto partition = fed_ < plan_.partitions ? fed_ : static_cast<int32_t>(random().below(static_cast<uint64_t>(plan_.partitions)));
      int64_t& next = sent_[static_cast<size_t>(partition)];
      const std::string value = std::to_string(partition) + ":" + std::to_string(next);
      client::Outbound record;
      record.topic = "in";
      record.partition = partition;
      record.value = as_bytes(value);
      const client::Sending outcome = producer_->try_send(record);
      if (outcome != client::Sending::sent) {
        expect(outcome == client::Sending::topic_unknown, "send: " + producer_->explain(outcome, record).message());
        return;
      }
      ++next;
      ++fed_;
    }
    while (const auto deliveries = producer_->poll()) expect(!deliveries->failed(), "a record failed");
  }

  // ---- what happens -------------------------------------------------------------------------------------------------------------

  void rest() {
    world_.pause(milliseconds(random().one_in(40) ? random().below(8000) : random().below(120)));
    look_at_logs();
  }

  void look_at_logs() {
    for (const CommittedOffset& each : logs_->follow())
      for (const auto& group : groups_)
        if (group->plan.name == each.group && each.topic == "in") group->history.commit_seen(each.partition, each.offset);
  }

  void unrest() {
    Group& group = *groups_[random().below(groups_.size())];
    const size_t place = random().below(group.places.size());
    auto& member = group.places[place];
    if (!member) {
      if (random().one_in(6)) start(group, place);
      return;
    }
    member->turn();
    if (member->gone()) return member.reset();
    if (random().one_in(60)) member->leave();
    if (!plan_.calm && random().one_in(60)) kill(member);
    else if (!plan_.calm && random().one_in(100)) member->stop_polling(milliseconds(random().below(30'000)));
  }

  void kill(std::unique_ptr<Member>& member) {
    world_.note(member->options().name + " is killed");
    member.reset();
  }

  void start(Group& group, size_t place) {
    const std::string slot = group.plan.name + std::to_string(place);
    MemberOptions options{.name = slot + "." + std::to_string(++group.started), .settings = plan_.client, .commits = group.plan.commits};
    const std::string& protocol = group.plan.protocols[random().below(group.plan.protocols.size())];
    if (protocol == "consumer") options.settings.emplace_back("group.protocol", "consumer");
    else options.settings.emplace_back("partition.assignment.strategy", protocol);
    if (group.plan.static_members) options.settings.emplace_back("group.instance.id", slot);
    if (group.plan.by_pattern) options.pattern = "i.";
    if (group.plan.commits != Commits::in_transactions) {
      group.places[place] = std::make_unique<Member>(world_, group.history, std::move(options));
      return;
    }
    options.transactional_id = slot;
    options.output = output_of(group);
    options.producer = {{"linger.ms", "0"}, {"delivery.timeout.ms", "20000"}, {"request.timeout.ms", "3000"}, {"transaction.timeout.ms", "10000"}};
    group.places[place] = std::make_unique<Transformer>(world_, group.history, std::move(options));
  }

  // ---- how it ends --------------------------------------------------------------------------------------------------------------

  bool all_is_done(const Group& group) const {
    for (int32_t partition = 0; partition < plan_.partitions; ++partition)
      if (group.history.committed(partition) < sent_[static_cast<size_t>(partition)]) return false;
    return group.history.every_partition_is_owned();
  }

  void turn_all(bool replace) {
    for (const auto& group : groups_) {
      for (auto& member : group->places) {
        if (member) member->turn();
        if (member && member->gone()) member.reset();
      }
      const bool deserted = std::ranges::none_of(group->places, [](const auto& member) { return member && !member->leaving(); });
      if (replace && deserted)
        if (const auto free = std::ranges::find_if(group->places, [](const auto& member) { return !member; }); free != group->places.end())
          start(*group, static_cast<size_t>(free - group->places.begin()));
    }
    world_.pause(milliseconds(random().below(200)));
    look_at_logs();
  }

  void settle() {
    const Instant deadline = Clock::now() + patience;
    const auto settled = [&] {
      return fed_ == records && producer_->pending() == 0 && std::ranges::all_of(groups_, [&](const auto& group) { return all_is_done(*group); });
    };
    while (!settled()) {
      feed(records);
      turn_all(true);
      std::string text;
      for (const auto& group : groups_) {
        text += " " + group->history.text();
        for (const auto& member : group->places)
          if (member) text += " " + member->text() + ";";
      }
      expect(Clock::now() < deadline, "it does not come to rest:" + text);
    }
  }

  void disband() {
    const Instant deadline = Clock::now() + patience;
    const auto anybody = [&] {
      return std::ranges::any_of(groups_, [](const auto& group) { return std::ranges::any_of(group->places, [](const auto& member) { return member != nullptr; }); });
    };
    while (anybody()) {
      for (const auto& group : groups_)
        for (const auto& member : group->places)
          if (member) member->leave();
      turn_all(false);
      expect(Clock::now() < deadline, "members do not get to leave");
    }
    producer_.reset();
  }

  void compare_output(const Group& group) {
    std::vector<std::vector<std::string>> due(static_cast<size_t>(plan_.partitions));
    for (int32_t partition = 0; partition < plan_.partitions; ++partition)
      for (int64_t offset = 0; offset < sent_[static_cast<size_t>(partition)]; ++offset)
        for (int copy = 0; copy < Transformer::copies; ++copy)
          due[static_cast<size_t>((offset + copy) % plan_.partitions)].push_back(std::to_string(partition) + ":" + std::to_string(offset) + " copy " + std::to_string(copy));
    for (int32_t partition = 0; partition < plan_.partitions; ++partition) {
      auto& expected = due[static_cast<size_t>(partition)];
      const std::string topic = output_of(group);
      const auto read = world_.read(topic, partition, expected.size(), {{"isolation.level", "read_committed"}});
      std::vector<std::string> found;
      for (const auto& each : read) found.push_back(each.value);
      std::ranges::sort(found);
      std::ranges::sort(expected);
      if (found == expected) continue;
      std::vector<std::string> odd;
      std::ranges::set_symmetric_difference(found, expected, std::back_inserter(odd));
      throw std::runtime_error(topic + "-" + std::to_string(partition) + " has " + std::to_string(found.size()) + " records, not " +
                               std::to_string(expected.size()) + ", and '" + odd.front() + "' is too many or missing");
    }
  }

  Plan plan_;
  World world_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::unique_ptr<CoordinatorLogs> logs_;
  std::unique_ptr<client::Producer> producer_;
  std::vector<int64_t> sent_;                    // by partition
  int fed_ = 0;
};

}  // namespace

static void groups_hold_what_they_promise(void**) { run_seeds<GroupsUnderFire>({.quick = 10, .full = 10'000}); }
static void the_same_seed_gives_the_same_trace(void**) { compare_traces<GroupsUnderFire>(2); }

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(groups_hold_what_they_promise),
      cmocka_unit_test(the_same_seed_gives_the_same_trace),
  };
  return cmocka_run_group_tests_name("sim.groups", tests, nullptr, nullptr);
}
