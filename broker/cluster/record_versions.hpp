// Which form of a record a cluster's metadata.version asks for, and records made from parts of the image.
#pragma once

#include "broker/cluster/image.hpp"
#include "libkq/protocol/messages/metadata_records.hpp"

namespace kq::cluster {

constexpr std::string_view metadata_version_feature = "metadata.version";
constexpr int16_t metadata_version_oldest = 7;           // 3.3-IV3
constexpr int16_t metadata_version_newest = 29;          // 4.2-IV1: what a fresh cluster has

// By Kafka's MetadataVersion.
struct RecordVersions {
  explicit constexpr RecordVersions(int16_t level)
      : register_broker(level >= directories_from ? 3 : level >= migration_from ? 2 : 1),
        partition(level >= elr_from ? 2 : level >= directories_from ? 1 : 0),
        has_directories(level >= directories_from),
        has_transactions(level >= transactions_from),
        has_controller_registration(level >= controller_registration_from) {}

  int16_t register_broker;
  int16_t partition;                                     // of partition and of partition_change
  bool has_directories;
  bool has_transactions;
  bool has_controller_registration;

 private:
  static constexpr int16_t migration_from = 8, transactions_from = 13, controller_registration_from = 15, directories_from = 17,
                           elr_from = 23;
};

// Views into the image.
PartitionRecord partition_record(const Uuid& topic, int32_t index, const PartitionImage&, int16_t version);
RegisterBrokerRecord register_broker_record(const BrokerImage&, int16_t version);
RegisterControllerRecord register_controller_record(const ControllerImage&);

}  // namespace kq::cluster
