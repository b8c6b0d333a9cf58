// Members of a share group come, go, are killed and work on, while connections break and the broker dies between any two writes.
// sharers.hpp says what has to hold all the time; at last every record was handed out, and the group is done with all of them.
#include "libkq/protocol/messages/incremental_alter_configs.hpp"
#include "tests/sim/coordinator_logs.hpp"
#include "tests/sim/sharers.hpp"

#include "tests/sim/seeds.hpp"

using namespace kq;
using namespace kq::sim;
using std::chrono::milliseconds;

namespace {

constexpr int records = 80;
constexpr int unrest_turns = 400;
constexpr size_t members_max = 4;
constexpr Duration patience = 10min;              // of simulated time, once nothing breaks any more
constexpr const char* group = "s";

// What the seed draws.
struct Plan {
  explicit Plan(uint64_t seed) : random(seed * 7919 + 5) {
    calm = random.one_in(5);
    partitions = 1 + static_cast<int32_t>(random.below(4));
    world.broker = {{"num.partitions", std::to_string(partitions)},
                    {"offsets.topic.num.partitions", "2"},
                    {"share.coordinator.state.topic.num.partitions", "2"},
                    {"share.coordinator.snapshot.update.records.per.snapshot", std::to_string(random.below(12))},
                    {"share.coordinator.cold.partition.snapshot.interval.ms", "20000"},
                    {"share.coordinator.state.topic.prune.interval.ms", "15000"},
                    {"group.share.min.session.timeout.ms", "6000"},
                    {"group.share.session.timeout.ms", "6000"},
                    {"group.share.min.heartbeat.interval.ms", "1000"},
                    {"group.share.heartbeat.interval.ms", "1000"},
                    {"group.share.initialize.retry.interval.ms", "5000"},
                    {"group.share.min.record.lock.duration.ms", "1000"},
                    {"group.share.record.lock.duration.ms", calm ? "60000" : std::to_string(2000 + random.below(10'000))}};
    world.network.delay_max = std::chrono::microseconds(200 + random.below(random.one_in(4) ? 200'000 : 20'000));
    if (!calm) world.draw_faults(random);
    client = {{"group.id", group},
              {"share.acknowledgement.mode", "explicit"},
              {"share.acquire.mode", random.one_in(2) ? "batch_optimized" : "record_limit"},
              {"request.timeout.ms", std::to_string(random.one_in(2) ? 3000 : 8000 + random.below(8000))},
              {"fetch.max.wait.ms", std::to_string(random.below(3000))},
              {"fetch.min.bytes", std::to_string(random.one_in(2) ? 1 : 1 + random.below(2000))},
              {"max.poll.records", std::to_string(1 + random.below(20))}};
    release_one_in = random.one_in(2) ? 0 : 4 + random.below(20);
    reject_one_in = random.one_in(2) ? 0 : 4 + random.below(20);
    restart_at_end = random.one_in(2);
  }

  Random random;
  WorldOptions world;
  bool calm, restart_at_end;
  int32_t partitions;
  std::vector<client::Setting> client;
  uint64_t release_one_in, reject_one_in;
};

class SharingUnderFire {
 public:
  explicit SharingUnderFire(uint64_t seed)
      : plan_(seed), world_(seed, plan_.world), history_(world_, plan_.partitions, plan_.calm), logs_(world_, {}),
        sent_(static_cast<size_t>(plan_.partitions)), places_(members_max) {}

  // An exception tells what went wrong.
  void run() {
    begin_at_the_start();
    producer_ = world_.producer({{"linger.ms", "0"}, {"delivery.timeout.ms", "3600000"}, {"request.timeout.ms", "3000"}});
    for (int turn = 0; turn < unrest_turns; ++turn) {
      feed(turn * records / unrest_turns);
      unrest();
      world_.pause(milliseconds(random().one_in(40) ? random().below(8000) : random().below(120)));
    }
    world_.stop_faults();
    settle();
    logs_.compare();
    disband();
    if (plan_.restart_at_end) world_.restart_cleanly();
    logs_.compare();
    look_at_the_end();
  }
  int lives() const { return world_.lives(); }
  const std::string& trace() const { return world_.trace(); }

 private:
  static void expect(bool holds, const std::string& else_text) {
    if (!holds) throw std::runtime_error(else_text);
  }
  Random& random() { return world_.random(); }

  // The group is to see what was written before it came.
  void begin_at_the_start() {
    const auto process = world_.consumer({});
    for (bool done = false; !done;) {
      std::optional<bool> answered;
      world_.loop().spawn([](std::shared_ptr<client::Cluster> cluster, std::optional<bool>& into) -> awaitable<void> {
        IncrementalAlterConfigsRequest request;
        auto& resource = request.resources.emplace_back();
        resource.resource_type = static_cast<int8_t>(cluster::ResourceType::group);
        resource.resource_name = group;
        auto& setting = resource.configs.emplace_back();
        setting.name = "share.auto.offset.reset";
        setting.value = "earliest";
        const auto reply = co_await cluster->request(client::controller_node, request, Clock::now() + 20s);
        into = reply && reply->message.responses.front().error_code == Code::none;
      }(process->cluster, answered));
      expect(world_.run_until([&] { return answered.has_value(); }, patience), "the group's settings are not answered");
      done = *answered;
    }
  }

  void feed(int up_to) {
    while (fed_ < up_to) {
      const auto partition = fed_ < plan_.partitions ? fed_ : static_cast<int32_t>(random().below(static_cast<uint64_t>(plan_.partitions)));
      const std::string value(1 + random().below(100), '.');
      client::Outbound record;
      record.topic = "in";
      record.partition = partition;
      record.value = as_bytes(value);
      const client::Sending outcome = producer_->try_send(record);
      if (outcome != client::Sending::sent) {
        expect(outcome == client::Sending::topic_unknown, "send: " + producer_->explain(outcome, record).message());
        return;
      }
      ++sent_[static_cast<size_t>(partition)];
      ++fed_;
    }
    while (const auto deliveries = producer_->poll()) expect(!deliveries->failed(), "a record failed");
  }

  void start(std::unique_ptr<Sharer>& place) {
    place = std::make_unique<Sharer>(world_, history_, SharerOptions{.name = "s" + std::to_string(++started_), .settings = plan_.client,
                                                                      .release_one_in = plan_.release_one_in, .reject_one_in = plan_.reject_one_in});
  }

  void unrest() {
    auto& member = places_[random().below(places_.size())];
    if (!member) {
      if (random().one_in(6)) start(member);
      return;
    }
    member->turn();
    if (member->gone()) return member.reset();
    if (random().one_in(60)) member->leave();
    if (!plan_.calm && random().one_in(60)) world_.note(member->name() + " is killed"), member.reset();
    else if (!plan_.calm && random().one_in(100)) member->stop_polling(milliseconds(random().below(30'000)));
  }

  void turn_all(bool replace) {
    for (auto& member : places_) {
      if (member) member->turn();
      if (member && member->gone()) member.reset();
    }
    if (replace && std::ranges::none_of(places_, [](const auto& member) { return member && !member->leaving(); }))
      if (const auto free = std::ranges::find_if(places_, [](const auto& member) { return !member; }); free != places_.end()) start(*free);
    world_.pause(milliseconds(random().below(200)));
  }

  bool done_with(int32_t partition) {
    const auto start = logs_.share_start(group, "in", partition);
    return start && *start >= sent_[static_cast<size_t>(partition)];
  }

  void settle() {
    const Instant deadline = Clock::now() + patience;
    const auto settled = [&] {
      if (fed_ < records || producer_->pending() > 0) return false;
      for (int32_t partition = 0; partition < plan_.partitions; ++partition)
        if (!done_with(partition)) return false;
      return true;
    };
    for (int turn = 0; turn % 10 != 0 || !settled(); ++turn) {
      feed(records);
      turn_all(true);
      expect(Clock::now() < deadline, "it does not come to rest: " + text());
    }
  }

  std::string text() {
    std::string text;
    for (int32_t partition = 0; partition < plan_.partitions; ++partition)
      text += " in-" + std::to_string(partition) + " has " + std::to_string(sent_[static_cast<size_t>(partition)]) + ", handed out " +
              std::to_string(history_.handed_out(partition)) + ", done up to " +
              std::to_string(logs_.share_start(group, "in", partition).value_or(-2));
    return text;
  }

  void disband() {
    const Instant deadline = Clock::now() + patience;
    while (std::ranges::any_of(places_, [](const auto& member) { return member != nullptr; })) {
      for (auto& member : places_)
        if (member) member->leave();
      turn_all(false);
      expect(Clock::now() < deadline, "members do not get to leave");
    }
    producer_.reset();
  }

  void look_at_the_end() {
    for (int32_t partition = 0; partition < plan_.partitions; ++partition)
      expect(history_.handed_out(partition) == static_cast<size_t>(sent_[static_cast<size_t>(partition)]), "records were left out:" + text());
    if (plan_.calm && plan_.release_one_in == 0 && started_ == 1) expect(history_.handed_out_again() == 0, "records came twice where nothing breaks");
  }

  Plan plan_;
  World world_;
  ShareHistory history_;
  CoordinatorLogs logs_;
  std::unique_ptr<client::Producer> producer_;
  std::vector<int64_t> sent_;                     // by partition
  std::vector<std::unique_ptr<Sharer>> places_;
  int fed_ = 0, started_ = 0;
};

}  // namespace

static void share_groups_hold_what_they_promise(void**) { run_seeds<SharingUnderFire>({.quick = 10, .full = 5000}); }
static void the_same_seed_gives_the_same_trace(void**) { compare_traces<SharingUnderFire>(2); }

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(share_groups_hold_what_they_promise),
      cmocka_unit_test(the_same_seed_gives_the_same_trace),
  };
  return cmocka_run_group_tests_name("sim.share", tests, nullptr, nullptr);
}
