#include "broker/cluster/record_versions.hpp"

namespace kq::cluster {

PartitionRecord partition_record(const Uuid& topic, int32_t index, const PartitionImage& partition, int16_t version) {
  PartitionRecord record;
  record.partition_id = index;
  record.topic_id = topic;
  record.replicas = partition.replicas;
  record.isr = partition.isr;
  record.removing_replicas = partition.removing_replicas;
  record.adding_replicas = partition.adding_replicas;
  record.leader = partition.leader;
  record.leader_recovery_state = partition.leader_recovery_state;
  record.leader_epoch = partition.leader_epoch;
  record.partition_epoch = partition.partition_epoch;
  if (version >= 1) record.directories = partition.directories;
  if (version >= 2 && !partition.eligible_leader_replicas.empty()) record.eligible_leader_replicas = partition.eligible_leader_replicas;
  if (version >= 2 && !partition.last_known_elr.empty()) record.last_known_elr = partition.last_known_elr;
  return record;
}

namespace {

template <class Record, class RecordEndpoint, class RecordFeature, class From>
void copy_reach(Record& record, const From& from) {
  for (const Endpoint& endpoint : from.endpoints) {
    RecordEndpoint& to = record.end_points.emplace_back();
    to.name = endpoint.name;
    to.host = endpoint.host;
    to.port = endpoint.port;
    to.security_protocol = endpoint.security_protocol;
  }
  for (const auto& [name, range] : from.features) {
    RecordFeature& to = record.features.emplace_back();
    to.name = name;
    to.min_supported_version = range.min;
    to.max_supported_version = range.max;
  }
}

}  // namespace

RegisterBrokerRecord register_broker_record(const BrokerImage& broker, int16_t version) {
  RegisterBrokerRecord record;
  record.broker_id = broker.id;
  record.incarnation_id = broker.incarnation_id;
  record.broker_epoch = broker.epoch;
  copy_reach<RegisterBrokerRecord, RegisterBrokerRecord::BrokerEndpoint, RegisterBrokerRecord::BrokerFeature>(record, broker);
  if (broker.rack) record.rack = *broker.rack;
  else record.rack.reset();
  record.fenced = broker.fenced;
  if (version >= 1) record.in_controlled_shutdown = broker.in_controlled_shutdown;
  if (version >= 2) record.is_migrating_zk_broker = broker.is_migrating_zk_broker;
  if (version >= 3) record.log_dirs = broker.log_dirs;
  return record;
}

RegisterControllerRecord register_controller_record(const ControllerImage& controller) {
  RegisterControllerRecord record;
  record.controller_id = controller.id;
  record.incarnation_id = controller.incarnation_id;
  record.zk_migration_ready = controller.zk_migration_ready;
  copy_reach<RegisterControllerRecord, RegisterControllerRecord::ControllerEndpoint, RegisterControllerRecord::ControllerFeature>(
      record, controller);
  return record;
}

}  // namespace kq::cluster
