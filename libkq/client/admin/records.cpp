// Operations on what partitions hold: delete records, describe producers.
#include "libkq/client/admin/leaders.hpp"
#include "libkq/protocol/messages/delete_records.hpp"
#include "libkq/protocol/messages/describe_producers.hpp"

namespace kq::client::admin {
namespace {

// ---- delete_records ------------------------------------------------------------------------------------------------------------

struct Deletion : AtLeader {
  int64_t before = -1;
  int64_t low_watermark = -1;
};

DeleteRecordsRequest message_for(const std::vector<Deletion*>& deletions, Instant deadline) {
  DeleteRecordsRequest message;
  message.timeout_ms = ms_until(deadline);
  for (const Deletion* deletion : deletions) {
    auto& partition = topic_in(message.topics, deletion->topic).partitions.emplace_back();
    partition.partition_index = deletion->partition;
    partition.offset = deletion->before;
  }
  return message;
}

void take_deletion(Deletion& deletion, const DeleteRecordsResponse& response) {
  for (const auto& topic : response.topics) {
    if (topic.name != deletion.topic) continue;
    for (const auto& answer : topic.partitions) {
      if (answer.partition_index != deletion.partition) continue;
      deletion.low_watermark = answer.low_watermark;
      deletion.error.reset();
      if (answer.error_code != Code::none) deletion.error = no_to(deletion.name(), answer.error_code);
    }
  }
}

awaitable<Result<Rows>> tell_delete_records(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  std::vector<Deletion> deletions;
  for (size_t item = 0; item < request.count(); ++item)
    deletions.push_back({{std::string(request.string(item, "topic")), static_cast<int32_t>(request.int64(item, "partition"))},
                         request.int64(item, "offset")});
  const auto ask = [&](int32_t leader, const std::vector<Deletion*>& asked) {
    return ask_leader(cluster, leader, message_for(asked, deadline), asked, take_deletion, deadline);
  };
  co_await ask_leaders(cluster, deletions, ask, deadline);
  Rows rows = make_rows(delete_records);
  for (const Deletion& deletion : deletions) {
    auto& row = rows->add().set("topic", deletion.topic).set("partition", deletion.partition);
    row.set("low_watermark", deletion.low_watermark);
    if (deletion.error) row.fail(*deletion.error);
  }
  co_return rows;
}

// ---- describe_producers --------------------------------------------------------------------------------------------------------

struct Inquiry : AtLeader {
  kq_rows::Row* row = nullptr;
};

DescribeProducersRequest message_for(const std::vector<Inquiry*>& inquiries) {
  DescribeProducersRequest message;
  for (const Inquiry* inquiry : inquiries) topic_in(message.topics, inquiry->topic).partition_indexes.push_back(inquiry->partition);
  return message;
}

void describe(kq_rows& rows, const DescribeProducersResponse::ProducerState& producer) {
  auto& row = rows.add().set("producer_id", producer.producer_id).set("producer_epoch", producer.producer_epoch);
  row.set("last_sequence", producer.last_sequence).set("last_timestamp", producer.last_timestamp);
  if (producer.coordinator_epoch >= 0) row.set("coordinator_epoch", producer.coordinator_epoch);
  if (producer.current_txn_start_offset >= 0) row.set("transaction_start_offset", producer.current_txn_start_offset);
}

void take_producers(Inquiry& inquiry, const DescribeProducersResponse& response) {
  for (const auto& topic : response.topics) {
    if (topic.name != inquiry.topic) continue;
    for (const auto& answer : topic.partitions) {
      if (answer.partition_index != inquiry.partition) continue;
      inquiry.error.reset();
      if (answer.error_code != Code::none) inquiry.error = no_to(inquiry.name(), answer.error_code, answer.error_message);
      else for (const auto& producer : answer.active_producers) describe(inquiry.row->nested("producers"), producer);
    }
  }
}

awaitable<Result<Rows>> tell_describe_producers(std::shared_ptr<Cluster> cluster, const Request& request, Instant deadline) {
  Rows rows = make_rows(describe_producers);
  std::vector<Inquiry> inquiries;
  for (size_t item = 0; item < request.count(); ++item) {
    const std::string topic(request.string(item, "topic"));
    const int64_t partition = request.int64(item, "partition");
    auto& row = rows->add().set("topic", topic).set("partition", partition);
    row.nested("producers");
    inquiries.push_back({{topic, static_cast<int32_t>(partition)}, &row});
  }
  const auto ask = [&](int32_t leader, const std::vector<Inquiry*>& asked) {
    return ask_leader(cluster, leader, message_for(asked), asked, take_producers, deadline);
  };
  co_await ask_leaders(cluster, inquiries, ask, deadline);
  for (const Inquiry& inquiry : inquiries)
    if (inquiry.error) inquiry.row->fail(*inquiry.error);
  co_return rows;
}

// ---- tables --------------------------------------------------------------------------------------------------------------------

constexpr kq_field topic_item = item("topic", 's', "The topic's name.");
constexpr kq_field partition_item = item("partition", 'i', "The partition's number.");
constexpr kq_field topic_column = column("topic", 's', "As asked for.");
constexpr kq_field partition_column = column("partition", 'i', "As asked for.");

constexpr kq_field delete_records_in[] = {
    topic_item, partition_item, item("offset", 'i', "Records below it go; -1: all that there are now."),
};
constexpr kq_field delete_records_out[] = {
    topic_column, partition_column, column("low_watermark", 'i', "The first offset that is still there; -1: not told."),
};
constexpr kq_field describe_producers_in[] = {topic_item, partition_item};
constexpr kq_field describe_producers_out[] = {
    topic_column, partition_column,
    column("producers", 'r', "Each idempotent or transactional producer that the leader keeps in mind."),
    column("producers.producer_id", 'i', "Its id."),
    column("producers.producer_epoch", 'i', "Its epoch."),
    column("producers.last_sequence", 'i', "Of its last record; -1: none is kept in mind."),
    column("producers.last_timestamp", 'i', "Of its last batch, in ms since 1970."),
    nullable(column("producers.coordinator_epoch", 'i', "Of the last marker; null: there was none.")),
    nullable(column("producers.transaction_start_offset", 'i', "Where its open transaction begins; null: none is open.")),
};

}  // namespace

constinit const Operation delete_records{"delete_records", "Deletes the records of partitions up to an offset.", delete_records_in,
                                         delete_records_out, false, tell_delete_records};
constinit const Operation describe_producers{"describe_producers", "Producers that have written to partitions, and their open transactions.",
                                             describe_producers_in, describe_producers_out, false, tell_describe_producers};

}  // namespace kq::client::admin
