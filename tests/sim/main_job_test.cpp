// Records go in while connections break and the broker loses power between any two operations on its disk.  What was acknowledged
// is there once, in order, at the offset that was told.
#include "tests/sim/world.hpp"

#include "tests/sim/seeds.hpp"

using namespace kq;
using namespace kq::sim;

namespace {

constexpr int records = 150;
constexpr Duration patience = 30min;             // of simulated time, for anything

// What the seed draws.
struct Plan {
  explicit Plan(uint64_t seed) {
    Random random(seed * 7919 + 1);
    partitions = 1 + static_cast<int32_t>(random.below(3));
    world.network.delay_max = std::chrono::microseconds(200 + random.below(20'000));
    world.network.cut_one_in = random.one_in(3) ? 0 : 5 + random.below(60);
    world.network.refuse_one_in = random.one_in(2) ? 0 : 2 + random.below(8);
    world.operations_per_life = random.one_in(4) ? 0 : 100 + random.below(400);
    world.broker["num.partitions"] = std::to_string(partitions);
    const char* codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    compression = codecs[random.below(5)];
    linger_ms = static_cast<int>(random.below(4));
    batch_bytes = 200 + static_cast<int>(random.below(2000));
    restart_at_end = random.one_in(2);
  }

  WorldOptions world;
  int32_t partitions;
  const char* compression;
  int linger_ms;
  int batch_bytes;
  bool restart_at_end;
};

struct Sent {
  std::string value;
  int64_t offset = -1;                           // as delivered
};

class MainJob {
 public:
  explicit MainJob(uint64_t seed) : plan_(seed), world_(seed, plan_.world), sent_(static_cast<size_t>(plan_.partitions)) {}

  // An exception tells what went wrong.
  void run() {
    producer_ = world_.producer({{"acks", "all"},
                                 {"linger.ms", std::to_string(plan_.linger_ms)},
                                 {"batch.size", std::to_string(plan_.batch_bytes)},
                                 {"compression.type", plan_.compression},
                                 {"delivery.timeout.ms", "3600000"},
                                 {"request.timeout.ms", "5000"}});
    for (int i = 0; i < records; ++i) send(i);
    const uint64_t ticket = producer_->begin_flush();
    expect(world_.run_until([&] { return take_deliveries(), producer_->flushed(ticket); }, patience), "flush does not end");
    world_.stop_faults();
    take_deliveries();
    expect(delivered_ == records, "deliveries are missing: " + std::to_string(delivered_) + " of " + std::to_string(records));
    producer_.reset();
    if (plan_.restart_at_end) world_.restart_cleanly();
    for (int32_t partition = 0; partition < plan_.partitions; ++partition) compare(partition);
  }
  int lives() const { return world_.lives(); }
  const std::string& trace() const { return world_.trace(); }

 private:
  static void expect(bool holds, const std::string& else_text) {
    if (!holds) throw std::runtime_error(else_text);
  }

  void send(int i) {
    const auto partition = static_cast<int32_t>(world_.random().below(static_cast<uint64_t>(plan_.partitions)));
    auto& lane = sent_[static_cast<size_t>(partition)];
    lane.push_back({"record " + std::to_string(i) + std::string(world_.random().below(100), '.'), -1});
    client::Outbound record;
    record.topic = "t";
    record.partition = partition;
    record.value = as_bytes(lane.back().value);
    record.tag = static_cast<uint64_t>(partition) << 32 | (lane.size() - 1);
    client::Sending outcome{};
    const bool in_time = world_.run_until(
        [&] {
          take_deliveries();
          outcome = producer_->try_send(record);
          return outcome == client::Sending::sent || outcome == client::Sending::refused;
        },
        patience);
    expect(in_time && outcome == client::Sending::sent, "send: " + producer_->explain(outcome, record).message());
    if (world_.random().one_in(4)) world_.run_until([] { return false; }, std::chrono::milliseconds(world_.random().below(20)));
  }

  void take_deliveries() {
    while (const auto deliveries = producer_->poll())
      for (size_t i = 0; i < deliveries->count(); ++i) {
        const client::Delivery delivery = deliveries->at(i);
        expect(!delivery.error, std::string("a record failed: ") + (delivery.error ? delivery.error->message() : ""));
        Sent& sent = sent_.at(delivery.tag >> 32).at(delivery.tag & 0xffffffff);
        expect(sent.offset < 0, "delivered twice: " + sent.value);
        sent.offset = delivery.offset;
        ++delivered_;
        world_.note("delivered t-" + std::to_string(delivery.partition) + " @" + std::to_string(delivery.offset));
      }
  }

  void compare(int32_t partition) {
    const auto& sent = sent_[static_cast<size_t>(partition)];
    const auto found = world_.read("t", partition, sent.size());
    expect(found.size() == sent.size(), "t-" + std::to_string(partition) + " has " + std::to_string(found.size()) + " records, not " +
                                            std::to_string(sent.size()));
    for (size_t i = 0; i < sent.size(); ++i) {
      expect(found[i].value == sent[i].value, "t-" + std::to_string(partition) + ": '" + found[i].value + "' where '" + sent[i].value + "' was sent");
      expect(found[i].offset == sent[i].offset, "t-" + std::to_string(partition) + ": another offset than was told for " + sent[i].value);
    }
  }

  Plan plan_;
  World world_;
  std::unique_ptr<client::Producer> producer_;
  std::vector<std::vector<Sent>> sent_;
  int delivered_ = 0;
};

}  // namespace

static void acknowledged_records_are_there_once_and_in_order(void**) { run_seeds<MainJob>({.quick = 40, .full = 1000}); }
static void the_same_seed_gives_the_same_trace(void**) { compare_traces<MainJob>(); }

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(acknowledged_records_are_there_once_and_in_order),
      cmocka_unit_test(the_same_seed_gives_the_same_trace),
  };
  return cmocka_run_group_tests_name("sim.main_job", tests, nullptr, nullptr);
}
