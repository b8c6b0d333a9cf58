// A partition of __transaction_state without a broker: decisions are written, refused or replayed as the runtime does it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/txn/coordinator.hpp"
#include "libkq/base/check.hpp"

namespace kq::txn {

class StateLog {
 public:
  explicit StateLog(int16_t server_version = 2) {
    auto image = std::make_shared<cluster::Image>();
    image->features["transaction.version"] = server_version;
    image_ = std::move(image);
    settings.prepared = [this](int32_t) { ++prepared; };
    restart();
  }

  // The state as the log alone gives it.
  void restart() {
    machine = std::make_unique<TransactionCoordinator>(0, settings);
    for (const Entry& entry : entries) replay(entry);
    machine->loaded(now, image_);
  }

  // Writes what the decision wants, unless the log refuses.
  template <class Decide>
  auto run(Decide&& decide) {
    coordinator::Writes writes;
    auto answer = decide(*machine, now, writes);
    commit(writes);
    return answer;
  }

  TransactionCoordinator::InitAnswer init(std::string_view id, std::optional<ProducerIdAndEpoch> expected = {},
                                          int32_t timeout_ms = 60'000) {
    TransactionCoordinator::Init request{
        .transactional_id = id, .timeout_ms = timeout_ms, .expected = expected, .fresh_producer_id = {}};
    auto answer = run([&](auto& m, const auto& at, auto& writes) { return m.init(at, request, writes); });
    if (!answer.wants_producer_id) return answer;
    request.fresh_producer_id = next_producer_id++;
    return run([&](auto& m, const auto& at, auto& writes) { return m.init(at, request, writes); });
  }
  Code add(std::string_view id, ProducerIdAndEpoch producer, const Partitions& partitions, int16_t version = 2) {
    return run([&](auto& m, const auto& at, auto& writes) {
      return m.add_partitions(
          at, {.transactional_id = id, .producer = producer, .partitions = partitions, .client_version = version}, writes);
    });
  }
  TransactionCoordinator::EndAnswer end(std::string_view id, ProducerIdAndEpoch producer, bool commit, int16_t version = 2) {
    TransactionCoordinator::End request{
        .transactional_id = id, .producer = producer, .commit = commit, .client_version = version, .fresh_producer_id = {}};
    auto answer = run([&](auto& m, const auto& at, auto& writes) { return m.end(at, request, writes); });
    if (!answer.wants_producer_id) return answer;
    request.fresh_producer_id = next_producer_id++;
    return run([&](auto& m, const auto& at, auto& writes) { return m.end(at, request, writes); });
  }
  void complete(const PreparedEnd& end) {
    run([&](auto& m, const auto& at, auto& writes) { return m.completed(at, end, writes), 0; });
  }
  void tick() {
    while (machine->deadline() && *machine->deadline() <= now.instant) {
      coordinator::Writes writes;
      machine->tick(now, writes);
      commit(writes);
      if (refuse) return;
    }
  }
  void pass(Duration time) {
    now.instant += time;
    now.wall_ms += to_ms(time);
  }

  const Transaction& held(std::string_view id) const {
    const Transaction* found = machine_of(*machine).find(id);
    KQ_CHECK(found);
    return *found;
  }
  std::string state(std::string_view id) const { return name_of(held(id).state); }

  Settings settings;
  coordinator::Now now{Instant{} + 1s, 1'700'000'000'000};
  std::unique_ptr<TransactionCoordinator> machine;
  bool refuse = false;  // whatever is written
  int prepared = 0;     // told about ends that nobody waits for
  int64_t next_producer_id = 1000;

 private:
  struct Entry {
    std::vector<std::byte> key;
    std::optional<std::vector<std::byte>> value;
  };

  static const TransactionCoordinator& machine_of(const TransactionCoordinator& m) { return m; }

  void commit(coordinator::Writes& writes) {
    KQ_CHECK(writes.sayable());
    if (refuse && !writes.empty()) return writes.finish(Code::kafka_storage_error);
    for (size_t i = 0; i < writes.size(); ++i) {
      const auto entry = writes.at(i);
      entries.push_back({{entry.key.begin(), entry.key.end()}, {}});
      if (entry.value) entries.back().value.emplace(entry.value->begin(), entry.value->end());
      replay(entries.back());
    }
    writes.finish(Code::none);
  }
  void replay(const Entry& entry) {
    coordinator::Record record{.key = entry.key, .value = std::nullopt};
    if (entry.value) record.value = Bytes{*entry.value};
    machine->replay(record);
  }

  std::shared_ptr<const cluster::Image> image_;

 public:
  std::vector<Entry> entries;
};

}  // namespace kq::txn
