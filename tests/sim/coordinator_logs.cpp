#include "tests/sim/coordinator_logs.hpp"

#include "broker/cluster/topic_name.hpp"
#include "broker/coordinator/placement.hpp"
#include "broker/group/config.hpp"
#include "broker/share/coordinator.hpp"
#include "broker/txn/transactions.hpp"
#include "libkq/record/batch_reader.hpp"

namespace kq::sim {
namespace {

[[noreturn]] void fail(const std::string& text) { throw std::runtime_error(text); }

// Where it waits for nobody: in between, members come and go without the log.
bool at_rest(const group::ClassicGroup& group) {
  return group.is(group::ClassicState::stable) || group.is(group::ClassicState::empty);
}

std::string text_of(const group::ClassicGroup& group) {
  std::string text = group.protocol().value_or("-") + " generation " + std::to_string(group.generation()) + " led by " +
                     group.leader().value_or("-");
  for (const auto& [id, member] : group.members()) {
    text += "; " + id + " as " + member.instance_id.value_or("-") + " session " + std::to_string(to_ms(member.session_timeout)) + " has ";
    for (const char byte : member.assignment) text += std::to_string(static_cast<uint8_t>(byte)) + " ";
  }
  return text;
}

}  // namespace

CoordinatorLogs::CoordinatorLogs(World& world, std::set<std::string> groups) : world_(world), groups_(std::move(groups)) {}
CoordinatorLogs::~CoordinatorLogs() = default;

std::unique_ptr<group::GroupShard> CoordinatorLogs::fresh_groups() const {
  return std::make_unique<group::GroupShard>(group::GroupConfig{}, [] { return std::string("unused"); });
}

std::shared_ptr<broker::Partition> CoordinatorLogs::partition(std::string_view topic, int32_t index) {
  const auto image = world_.broker().image();
  const auto* const found = image ? image->topic(topic) : nullptr;
  return found ? world_.broker().partitions->find(found->id, index) : nullptr;
}

int64_t CoordinatorLogs::replay(broker::Partition& partition, int64_t from, coordinator::StateMachine& into,
                                const std::function<void()>& after_each) {
  bool more = true;
  while (more) {
    more = false;
    std::vector<std::byte> bytes;
    if (!partition.is_open()) return from;
    const int64_t committed = partition.offsets().high_watermark;
    partition.with_log([&](log::Log& log) {
      const int64_t end = std::min(committed, log.end_offset());
      if (from > log.end_offset())
        fail(partition.topic + "-" + std::to_string(partition.index) + " ends at " + std::to_string(log.end_offset()) + " after it was committed up to " + std::to_string(from));
      from = std::max(from, log.start_offset());
      if (from >= end) return;
      const auto found = log.read({.offset = from, .bytes_max = 1 << 20, .upper_offset = end});
      if (!found || found->slice.empty()) return;
      bytes.resize(found->slice.length);
      const auto got = found->slice.file->read_at(found->slice.position, bytes);
      bytes.resize(got ? *got : 0);
    });
    Bytes rest{bytes};
    BatchView batch;
    while (next_batch(rest, batch) == Step::batch) {
      if (batch.next_offset() <= from) continue;
      from = batch.next_offset();
      more = true;
      BatchReader reader;
      Block block;
      if (!reader.open(batch, block)) fail("a batch of " + partition.topic + " cannot be read");
      for (RecordView record; reader.next(record);) {
        if (batch.control()) {
          const auto type = static_cast<ControlType>(control_type(record.key));
          into.end_transaction({batch.producer_id(), batch.producer_epoch(), type == ControlType::commit});
        } else {
          coordinator::Record seen{.key = record.key, .value = std::nullopt, .offset = record.offset};
          if (record.value.data()) seen.value = record.value;
          if (batch.transactional()) seen.producer_id = batch.producer_id(), seen.producer_epoch = batch.producer_epoch();
          into.replay(seen);
        }
        if (after_each) after_each();
      }
    }
  }
  return from;
}

void CoordinatorLogs::note_changes(Follower& follower, std::vector<CommittedOffset>& into) const {
  for (const std::string& group : groups_) {
    const auto* const topics = follower.machine->store().of(group);
    if (!topics) continue;
    for (const auto& [topic, partitions] : *topics)
      for (const auto& [index, offset] : partitions) {
        const auto [place, fresh] = follower.seen.try_emplace({group, topic, index}, offset.record_offset);
        if (!fresh && place->second == offset.record_offset) continue;
        place->second = offset.record_offset;
        into.push_back({group, topic, index, offset.offset});
      }
  }
}

std::vector<CommittedOffset> CoordinatorLogs::follow() {
  std::vector<CommittedOffset> fresh;
  for (int32_t index = 0;; ++index) {
    const auto partition = this->partition(cluster::offsets_topic, index);
    if (!partition) return fresh;
    Follower& follower = followers_[index];
    if (!follower.machine) follower.machine = fresh_groups();
    follower.offset = replay(*partition, follower.offset, *follower.machine, [&] { note_changes(follower, fresh); });
  }
}

template <class Look>
void CoordinatorLogs::look_at(broker::CoordinatorType type, int32_t index, const Look& look) {
  auto* const runtime = world_.broker().coordinator(type);
  std::optional<Code> code;
  const coordinator::Runtime::Decide decide = [&](coordinator::StateMachine& machine, const coordinator::Now&, coordinator::Writes&) { look(machine); };
  world_.loop().spawn([](coordinator::Runtime& of, Loop& loop, int32_t at, const coordinator::Runtime::Decide& what,
                         std::optional<Code>& into) -> awaitable<void> {
    const Code ended = co_await of.run(loop, at, what);
    into = ended;
  }(*runtime, world_.loop(), index, decide, code));
  if (!world_.run_until([&] { return code.has_value(); }, 1min)) fail("a coordinator does not answer");
  if (*code != Code::none) fail(std::string("a coordinator answers ") + name_of(*code));
}

std::optional<int64_t> CoordinatorLogs::share_start(const std::string& group, const std::string& topic, int32_t partition) {
  const auto image = world_.broker().image();
  const auto* const found = image ? image->topic(topic) : nullptr;
  const auto* const states = image ? image->topic(cluster::share_state_topic) : nullptr;
  if (!found || !states) return std::nullopt;
  const share::Key key{group, found->id, partition};
  const int32_t index = coordinator::partition_of(key.text(), static_cast<int32_t>(states->partitions.size()));
  const auto led = world_.broker().coordinator(broker::CoordinatorType::share)->led();
  if (std::ranges::find(led, index) == led.end()) return std::nullopt;
  std::optional<int64_t> start;
  look_at(broker::CoordinatorType::share, index, [&](coordinator::StateMachine& machine) {
    const auto* const state = static_cast<const share::StateShard&>(machine).find(key);
    if (!state) return;
    start = state->start_offset;                  // as it was before the last write: what that says of the records from there on counts
    for (const share::StateBatch& batch : state->batches)
      if (batch.first == *start && share::is_final(batch.state)) start = batch.last + 1;
  });
  return start;
}

void CoordinatorLogs::compare() {
  for (const int32_t index : world_.broker().coordinator(broker::CoordinatorType::group)->led()) compare_groups(index);
  for (const int32_t index : world_.broker().coordinator(broker::CoordinatorType::transaction)->led()) compare_transactions(index);
  for (const int32_t index : world_.broker().coordinator(broker::CoordinatorType::share)->led()) compare_share_states(index);
}

void CoordinatorLogs::compare_groups(int32_t index) {
  look_at(broker::CoordinatorType::group, index, [&](coordinator::StateMachine& machine) {
    const auto& live = static_cast<const group::GroupShard&>(machine);
    const auto replayed = fresh_groups();
    replay(*partition(cluster::offsets_topic, index), 0, *replayed, nullptr);
    const std::string where = "__consumer_offsets-" + std::to_string(index) + ": ";
    if (!(live.store() == replayed->store())) fail(where + "a replay makes other offsets");
    for (const auto& [id, group] : replayed->groups().all)
      if (!live.groups().find(id)) fail(where + "a replay makes group " + id);
    for (const auto& [id, group] : live.groups().all) {
      if (const auto* const consumer = dynamic_cast<const group::ConsumerGroup*>(group.get())) {
        const auto* const again = replayed->groups().find<group::ConsumerGroup>(id);
        if (!again || !consumer->same_state(*again)) fail(where + "a replay makes another group " + id);
      }
      if (const auto* const share = dynamic_cast<const group::ShareGroup*>(group.get())) {
        const auto* const again = replayed->groups().find<group::ShareGroup>(id);
        if (!again || !(*share == *again)) fail(where + "a replay makes another share group " + id);
      }
      if (const auto* const streams = dynamic_cast<const group::StreamsGroup*>(group.get())) {
        const auto* const again = replayed->groups().find<group::StreamsGroup>(id);
        if (!again || !(*streams == *again)) fail(where + "a replay makes another streams group " + id);
      }
      const auto* const classic = dynamic_cast<const group::ClassicGroup*>(group.get());
      if (!classic || !at_rest(*classic)) continue;
      const auto* const again = replayed->groups().find<group::ClassicGroup>(id);
      if (!again) fail(where + "a replay makes no group " + id);
      if (text_of(*classic) != text_of(*again)) fail(where + "a replay makes of group " + id + " " + text_of(*again) + " where it is " + text_of(*classic));
    }
  });
}

void CoordinatorLogs::compare_transactions(int32_t index) {
  look_at(broker::CoordinatorType::transaction, index, [&](coordinator::StateMachine& machine) {
    const auto& live = static_cast<const txn::TransactionCoordinator&>(machine);
    const txn::Settings settings;
    txn::TransactionCoordinator replayed(index, settings);
    replay(*partition(cluster::transactions_topic, index), 0, replayed, nullptr);
    if (live.all() != replayed.all()) fail("__transaction_state-" + std::to_string(index) + ": a replay makes other transactions");
  });
}

void CoordinatorLogs::compare_share_states(int32_t index) {
  look_at(broker::CoordinatorType::share, index, [&](coordinator::StateMachine& machine) {
    share::StateShard replayed{share::StateShard::Settings{}};
    replay(*partition(cluster::share_state_topic, index), 0, replayed, nullptr);
    if (!static_cast<const share::StateShard&>(machine).same_states(replayed))
      fail("__share_group_state-" + std::to_string(index) + ": a replay makes other states");
  });
}

}  // namespace kq::sim
