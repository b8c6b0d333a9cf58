// Members of a streams group (KIP-1071) come, go and are killed, while connections break and the broker dies between any two writes.  libkq has
// no such members: these speak the protocol, and process nothing.  Where nothing breaks a task is nobody's second; at last each is somebody's.
#include <set>

#include "libkq/client/coordinator.hpp"
#include "libkq/protocol/messages/streams_group_heartbeat.hpp"
#include "tests/sim/coordinator_logs.hpp"

#include "tests/sim/seeds.hpp"

using namespace kq;
using namespace kq::sim;
using std::chrono::milliseconds;

namespace {

using Task = std::pair<std::string, int32_t>;      // of a subtopology
using Tasks = std::set<Task>;
using Request = StreamsGroupHeartbeatRequest;
using Response = StreamsGroupHeartbeatResponse;

constexpr int unrest_turns = 300;
constexpr size_t members_max = 4;
constexpr Duration patience = 5min;                // of simulated time, once nothing breaks any more

struct Plan {
  explicit Plan(uint64_t seed) : random(seed * 7919 + 11) {
    calm = random.one_in(4);
    partitions = 1 + static_cast<int32_t>(random.below(4));
    world.broker = {{"num.partitions", std::to_string(partitions)},
                    {"offsets.topic.num.partitions", "2"},
                    {"group.streams.min.session.timeout.ms", "6000"},
                    {"group.streams.session.timeout.ms", "6000"},
                    {"group.streams.min.heartbeat.interval.ms", "1000"},
                    {"group.streams.heartbeat.interval.ms", "1000"},
                    {"group.streams.num.standby.replicas", std::to_string(random.below(3))},
                    {"group.streams.initial.rebalance.delay.ms", random.one_in(2) ? "0" : "3000"}};
    world.network.delay_max = std::chrono::microseconds(200 + random.below(20'000));
    if (!calm) world.draw_faults(random);
  }

  Random random;
  WorldOptions world;
  bool calm = false;
  int32_t partitions = 1;
};

// Who has which active task, as the members were told.
struct TaskHistory {
  TaskHistory(World& its_world, bool its_calm) : world(its_world), calm(its_calm) {}

  void changed(const std::string& member, const Tasks& before, const Tasks& now) {
    for (const Task& task : before)
      if (!now.contains(task)) world.note(member + " gives up " + text(task)), owners[task].erase(member);
    for (const Task& task : now) {
      if (before.contains(task)) continue;
      world.note(member + " gets " + text(task));
      if (calm && !owners[task].empty()) throw std::runtime_error(member + " gets " + text(task) + " while " + *owners[task].begin() + " has it");
      owners[task].insert(member);
    }
  }
  bool each_has_one(size_t tasks) const {
    return owners.size() == tasks && std::ranges::all_of(owners, [](const auto& entry) { return entry.second.size() == 1; });
  }
  static std::string text(const Task& task) { return task.first + "_" + std::to_string(task.second); }
  std::string text() const {
    std::string all;
    for (const auto& [task, members] : owners) {
      all += " " + text(task) + ":";
      for (const auto& member : members) all += " " + member;
    }
    return all;
  }

  World& world;
  const bool calm;
  std::map<Task, std::set<std::string>> owners{};
};

// A process of the application, whose one thread only beats.
class StreamsMember : public std::enable_shared_from_this<StreamsMember> {
 public:
  StreamsMember(World& world, TaskHistory& history, std::string name, std::string process)
      : world_(world), history_(history), name_(std::move(name)), process_id_(std::move(process)), process_(world.consumer({})),
        cluster_(process_->cluster), coordinator_(std::make_shared<client::Coordinator>(cluster_, "app", client::Coordinator::Kind::group)) {
    world_.note(name_ + " starts");
  }
  static std::shared_ptr<StreamsMember> start(World& world, TaskHistory& history, std::string name, std::string process) {
    auto member = std::make_shared<StreamsMember>(world, history, std::move(name), std::move(process));
    world.loop().spawn(run(member));
    return member;
  }
  void leave() { leaving_ = true; }
  bool leaving() const { return leaving_; }
  bool gone() const { return gone_; }
  void die() {
    if (std::exchange(gone_, true)) return;
    world_.note(name_ + " is gone");
    history_.changed(name_, active_, {});
    process_.reset();
  }

 private:
  static awaitable<void> run(std::shared_ptr<StreamsMember> self) {
    const auto code_of = [](const Response& response) { return response.error_code; };
    while (!self->gone_) {
      const bool last = self->leaving_;
      const Request request = self->next_request(last);
      auto reply = co_await self->coordinator_->request(request, Clock::now() + 8s, code_of);
      if (self->gone_) co_return;
      if (last) co_return self->die();
      if (reply) self->answered(reply->message);
      else self->world_.note(self->name_ + " beats: " + reply.error().message());
      co_await self->cluster_->pause(milliseconds(500));
    }
  }

  // Reads `in`, splits it anew into `again`, and counts there in a state that a changelog keeps.
  static Request::Topology topology() {
    Request::Topology topology;
    auto& first = topology.subtopologies.emplace_back();
    first.subtopology_id = "0";
    first.source_topics = {"in"};
    first.repartition_sink_topics = {"again"};
    auto& second = topology.subtopologies.emplace_back();
    second.subtopology_id = "1";
    second.repartition_source_topics.emplace_back().name = "again";
    second.state_changelog_topics.emplace_back().name = "count-changelog";
    return topology;
  }

  Request next_request(bool last) const {
    Request request;
    request.group_id = "app";
    request.member_id = name_;
    request.member_epoch = last ? -1 : epoch_;
    if (last) return request;
    const auto fill = [](const Tasks& tasks, auto& to) {
      to.emplace();
      for (const auto& [subtopology, partition] : tasks) {
        if (to->empty() || to->back().subtopology_id != subtopology) to->emplace_back().subtopology_id = subtopology;
        to->back().partitions.push_back(partition);
      }
    };
    fill(active_, request.active_tasks);
    fill(standby_, request.standby_tasks);
    request.warmup_tasks.emplace();
    if (epoch_ > 0) return request;
    request.rebalance_timeout_ms = 5000;
    request.process_id = process_id_;
    request.topology = topology();
    return request;
  }

  void answered(const Response& response) {
    if (response.error_code != Code::none) {
      world_.note(name_ + " beats: " + name_of(response.error_code));
      const bool known = response.error_code == Code::unknown_member_id || response.error_code == Code::fenced_member_epoch ||
                         response.error_code == Code::group_id_not_found;
      if (!known) throw std::runtime_error(name_ + " is answered " + name_of(response.error_code) + " " + std::string(response.error_message.value_or("")));
      if (history_.calm) throw std::runtime_error(name_ + " is thrown out where nothing breaks");
      history_.changed(name_, active_, {});
      active_.clear(), standby_.clear();
      epoch_ = 0;
      return;
    }
    epoch_ = response.member_epoch;
    if (!response.active_tasks) return;
    const auto take = [](const auto& entries) {
      Tasks tasks;
      for (const auto& entry : entries)
        for (const int32_t partition : entry.partitions) tasks.emplace(std::string(entry.subtopology_id), partition);
      return tasks;
    };
    const Tasks before = std::exchange(active_, take(*response.active_tasks));
    history_.changed(name_, before, active_);
    standby_ = take(*response.standby_tasks);
  }

  World& world_;
  TaskHistory& history_;
  const std::string name_, process_id_;
  std::unique_ptr<ConsumerProcess> process_;
  const std::shared_ptr<client::Cluster> cluster_;
  const std::shared_ptr<client::Coordinator> coordinator_;
  int32_t epoch_ = 0;
  Tasks active_, standby_;
  bool leaving_ = false, gone_ = false;
};

class StreamsUnderFire {
 public:
  explicit StreamsUnderFire(uint64_t seed)
      : plan_(seed), world_(seed, plan_.world), history_(world_, plan_.calm), logs_(world_, {}), places_(members_max) {}
  ~StreamsUnderFire() {
    for (const auto& member : places_)
      if (member) member->die();
  }

  // An exception tells what went wrong.
  void run() {
    make_topic();
    for (int turn = 0; turn < unrest_turns; ++turn) {
      unrest();
      world_.pause(milliseconds(world_.random().one_in(40) ? world_.random().below(8000) : world_.random().below(300)));
    }
    world_.stop_faults();
    settle();
    logs_.compare();
    disband();
    if (world_.random().one_in(2)) world_.restart_cleanly();
    logs_.compare();
  }
  int lives() const { return world_.lives(); }
  const std::string& trace() const { return world_.trace(); }

 private:
  static void expect(bool holds, const std::string& else_text) {
    if (!holds) throw std::runtime_error(else_text);
  }

  void make_topic() {
    const auto producer = world_.producer({{"linger.ms", "0"}, {"delivery.timeout.ms", "3600000"}, {"request.timeout.ms", "3000"}});
    client::Outbound record;
    record.topic = "in";
    record.partition = 0;
    record.value = as_bytes("x");
    const bool sent = world_.run_until([&] { return producer->try_send(record) == client::Sending::sent; }, patience);
    expect(sent && world_.run_until([&] { return producer->pending() == 0 || producer->poll() != nullptr; }, patience), "the topic is not made");
  }

  void start(std::shared_ptr<StreamsMember>& place, size_t index) {
    place = StreamsMember::start(world_, history_, "m" + std::to_string(++started_), "process-" + std::to_string(index / 2));
  }

  void unrest() {
    const size_t index = world_.random().below(places_.size());
    auto& member = places_[index];
    if (member && member->gone()) member.reset();
    if (!member) {
      if (world_.random().one_in(6)) start(member, index);
      return;
    }
    if (world_.random().one_in(40)) member->leave();
    if (!plan_.calm && world_.random().one_in(40)) member->die();
  }

  void settle() {
    const Instant deadline = Clock::now() + patience;
    const auto tasks = static_cast<size_t>(2 * plan_.partitions);
    for (int quiet = 0; quiet < 10; quiet = history_.each_has_one(tasks) ? quiet + 1 : 0) {
      for (auto& member : places_)
        if (member && member->gone()) member.reset();
      if (std::ranges::none_of(places_, [](const auto& member) { return member && !member->leaving(); })) {
        const auto free = std::ranges::find_if(places_, [](const auto& member) { return !member; });
        if (free != places_.end()) start(*free, static_cast<size_t>(free - places_.begin()));
      }
      world_.pause(milliseconds(500));
      expect(Clock::now() < deadline, "it does not come to rest:" + history_.text());
    }
  }

  void disband() {
    for (const auto& member : places_)
      if (member) member->leave();
    expect(world_.run_until([&] { return std::ranges::all_of(places_, [](const auto& member) { return !member || member->gone(); }); }, patience),
           "members do not get to leave");
  }

  Plan plan_;
  World world_;
  TaskHistory history_;
  CoordinatorLogs logs_;
  std::vector<std::shared_ptr<StreamsMember>> places_;
  int started_ = 0;
};

}  // namespace

static void streams_groups_hold_what_they_promise(void**) { run_seeds<StreamsUnderFire>({.quick = 10, .full = 5000}); }
static void the_same_seed_gives_the_same_trace(void**) { compare_traces<StreamsUnderFire>(2); }

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(streams_groups_hold_what_they_promise),
      cmocka_unit_test(the_same_seed_gives_the_same_trace),
  };
  return cmocka_run_group_tests_name("sim.streams", tests, nullptr, nullptr);
}
