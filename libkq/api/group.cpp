// The calls of kq.h that make a consumer a member of a group.
#include "libkq/api/array.hpp"
#include "libkq/api/batch.hpp"
#include "libkq/api/consumer.hpp"
#include "libkq/client/admin/operation.hpp"
#include "libkq/client/group_offsets.hpp"

using namespace kq;
using namespace kq::api;

struct kq_group_metadata {
  std::string group_id;
  client::MemberIdentity member;
};

kq_error* kq_consumer_subscribe(kq_consumer* consumer, const char* const* topics, size_t topics_len) {
  return guard_handle(consumer, [&]() -> Status {
    if (topics_len > 0) KQ_API_ARGUMENT(topics);
    std::vector<std::string> names;
    for (size_t i = 0; i < topics_len; ++i) {
      if (!topics[i]) return null_argument("a topic");
      names.emplace_back(topics[i]);
    }
    return names.empty() ? consumer->consumer->unsubscribe() : consumer->consumer->subscribe(std::move(names));
  });
}

kq_error* kq_consumer_subscribe_pattern(kq_consumer* consumer, const char* pattern) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(pattern);
    return consumer->consumer->subscribe_pattern(pattern);
  });
}

kq_error* kq_consumer_unsubscribe(kq_consumer* consumer) {
  return guard_handle(consumer, [&]() -> Status { return consumer->consumer->unsubscribe(); });
}

kq_error* kq_consumer_release(kq_consumer* consumer, kq_batch* batch) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(batch);
    consumer->consumer->release(*batch);
    return {};
  });
}

// ---- offsets ------------------------------------------------------------------------------------------------------------------

namespace {

enum class Offsets { wanted, not_wanted };

Result<std::vector<client::GroupOffset>> read_offsets(const kq_topic_partition* partitions, size_t count, Offsets offsets) {
  KQ_TRY_ASSIGN(const auto given, read_array(partitions, count, KQ_TOPIC_PARTITION_INIT));
  std::vector<client::GroupOffset> read;
  for (const kq_topic_partition& each : given) {
    if (!each.topic) return null_argument("topic");
    client::GroupOffset& offset = read.emplace_back(client::GroupOffset{.at = {each.topic, each.partition}});
    if (each.partition < 0 || (offsets == Offsets::wanted && each.offset < 0))
      return Error(own_code::argument, offset.at.text() + ": there is no partition, or offset, below 0");
    if (offsets == Offsets::not_wanted) continue;
    offset.offset = each.offset;
    offset.leader_epoch = each.leader_epoch;
    offset.metadata = each.metadata ? each.metadata : "";
  }
  return read;
}

// Waits for a story of the consumer's, as long as it is open.
template <class Tell>
kq_error* await(kq_consumer* consumer, const Tell& tell) {
  const std::lock_guard lock(consumer->closing);
  if (consumer->closed) return make_error(closed_consumer_error().error());
  auto told = consumer->driver()->await<bool>(tell);
  return told ? nullptr : make_error(told.error());
}

constexpr kq_field committed_columns[] = {
    client::admin::column("topic", 's', "The topic's name."),
    client::admin::column("partition", 'i', "The partition's number."),
    client::admin::column("offset", 'i', "Of the next record to read; -1: nothing is committed."),
    client::admin::column("leader_epoch", 'i', "Of the record before it; -1: not known."),
    client::admin::column("metadata", 's', "What was noted beside it; null: nothing."),
};

}  // namespace

kq_error* kq_consumer_commit(kq_consumer* consumer, const kq_topic_partition* offsets, size_t offsets_len, int32_t timeout_ms) {
  return guard_handle(consumer, [&]() -> kq_error* {
    auto given = read_offsets(offsets, offsets_len, Offsets::wanted);
    if (!given) return make_error(given.error());
    if (consumer->consumer->group_id().empty()) return make_error(client::no_group_error());
    if (given->empty()) *given = consumer->consumer->everything_handed_out();
    if (given->empty()) return nullptr;
    if (kq_error* error = await(consumer, [&] { return consumer->consumer->commit(*given, consumer->deadline(timeout_ms)); }))
      return error;
    for (const auto& each : *given)
      if (each.error) return make_error(*each.error, each.at.topic, each.at.partition);
    return nullptr;
  });
}

kq_error* kq_consumer_commit_async(kq_consumer* consumer, const kq_topic_partition* offsets, size_t offsets_len, uint64_t tag) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_TRY_ASSIGN(auto given, read_offsets(offsets, offsets_len, Offsets::wanted));
    if (consumer->consumer->group_id().empty()) return client::no_group_error();
    if (given.empty()) given = consumer->consumer->everything_handed_out();
    consumer->consumer->commit_later(std::move(given), tag);
    return {};
  });
}

kq_error* kq_consumer_store(kq_consumer* consumer, const kq_topic_partition* offsets, size_t offsets_len) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_TRY_ASSIGN(const auto given, read_offsets(offsets, offsets_len, Offsets::wanted));
    return consumer->consumer->store(given);
  });
}

kq_error* kq_consumer_committed(kq_consumer* consumer, const kq_topic_partition* partitions, size_t partitions_len,
                                int32_t timeout_ms, kq_rows** out) {
  return guard_handle(consumer, [&]() -> kq_error* {
    if (!out) return make_error(null_argument("out"));
    auto wanted = read_offsets(partitions, partitions_len, Offsets::not_wanted);
    if (!wanted) return make_error(wanted.error());
    if (consumer->consumer->group_id().empty()) return make_error(client::no_group_error());
    if (wanted->empty())
      for (const auto& each : consumer->consumer->assignment()) wanted->push_back({.at = {each.topic, each.partition}});
    auto rows = std::make_unique<kq_rows>("committed", committed_columns);
    if (!wanted->empty())
      if (kq_error* error =
              await(consumer, [&] { return consumer->consumer->committed(*wanted, consumer->deadline(timeout_ms)); }))
        return error;
    for (const auto& each : *wanted) {
      auto& row = rows->add().set("topic", each.at.topic).set("partition", each.at.partition).set("offset", each.offset);
      row.set("leader_epoch", each.leader_epoch);
      if (!each.metadata.empty()) row.set("metadata", each.metadata);
      if (each.error) row.fail(*each.error);
    }
    *out = rows.release();
    return nullptr;
  });
}

// ---- group metadata -----------------------------------------------------------------------------------------------------------

kq_error* kq_consumer_group_metadata(const kq_consumer* consumer, kq_group_metadata** out) {
  return guard_handle(consumer, [&]() -> Status {
    KQ_API_ARGUMENT(out);
    if (consumer->consumer->group_id().empty()) return client::no_group_error();
    auto metadata = std::make_unique<kq_group_metadata>(kq_group_metadata{consumer->consumer->group_id(), {}});
    consumer->driver()->run([&] { metadata->member = consumer->consumer->identity(); });
    *out = metadata.release();
    return {};
  });
}

kq_error* kq_group_metadata_new(const char* group_id, int32_t generation, const char* member_id, const char* group_instance_id,
                                kq_group_metadata** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(group_id);
    KQ_API_ARGUMENT(out);
    client::MemberIdentity member{.member_id = member_id ? member_id : "", .generation = generation};
    if (group_instance_id) member.instance_id = group_instance_id;
    *out = new kq_group_metadata{group_id, std::move(member)};
    return {};
  });
}

void kq_group_metadata_free(kq_group_metadata* metadata) { delete metadata; }
const char* kq_group_metadata_group_id(const kq_group_metadata* metadata) {
  return metadata ? metadata->group_id.c_str() : nullptr;
}
const char* kq_group_metadata_member_id(const kq_group_metadata* metadata) {
  return metadata ? metadata->member.member_id.c_str() : nullptr;
}
int32_t kq_group_metadata_generation(const kq_group_metadata* metadata) { return metadata ? metadata->member.generation : -1; }
const char* kq_group_metadata_group_instance_id(const kq_group_metadata* metadata) {
  return metadata && metadata->member.instance_id ? metadata->member.instance_id->c_str() : nullptr;
}
