// The image as records again: what a snapshot holds.
#include "broker/cluster/image.hpp"
#include "broker/cluster/record_versions.hpp"
#include "libkq/protocol/messages/metadata_records.hpp"
#include "libkq/protocol/record_frame.hpp"

namespace kq::cluster {
namespace {

struct RecordWriter {
  const std::function<void(Bytes)>& write;
  std::vector<std::byte> buffer{};

  template <class Record>
  void operator()(const Record& record, int16_t version = 0) {
    buffer.clear();
    KQ_CHECK(write_metadata_record(record, version, buffer));
    write(buffer);
  }
};

void write_features(const Image& image, RecordWriter& write) {
  const auto level = [&](std::string_view name, int16_t value) {
    FeatureLevelRecord record;
    record.name = name;
    record.feature_level = value;
    write(record);
  };
  if (const int16_t version = image.feature(metadata_version_feature)) level(metadata_version_feature, version);   // first: it tells the forms
  for (const auto& [name, value] : image.features)
    if (name != metadata_version_feature) level(name, value);
}

void write_partitions(const TopicImage& topic, int16_t version, RecordWriter& write) {
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const PartitionImage& partition = topic.partitions[i];
    if (partition.replicas.empty()) continue;
    write(partition_record(topic.id, static_cast<int32_t>(i), partition, version), version);
  }
}

void write_configs(const Image& image, RecordWriter& write) {
  image.configs.for_each([&](const ConfigResource& resource, const auto& configs) {
    for (const auto& [name, value] : *configs) {
      ConfigRecord record;
      record.resource_type = static_cast<int8_t>(resource.type);
      record.resource_name = resource.name;
      record.name = name;
      record.value = value;
      write(record);
    }
  });
}

void write_quotas(const Image& image, RecordWriter& write) {
  for (const auto& [entity, quotas] : image.client_quotas) {
    for (const auto& [key, value] : quotas) {
      ClientQuotaRecord record;
      for (const auto& [type, name] : entity) {
        ClientQuotaRecord::EntityData part;
        part.entity_type = type;
        if (name) part.entity_name = *name;
        else part.entity_name.reset();
        record.entity.push_back(part);
      }
      record.key = key;
      record.value = value;
      write(record);
    }
  }
}

void write_security(const Image& image, RecordWriter& write) {
  for (const auto& [user, credential] : image.scram_credentials) {
    UserScramCredentialRecord record;
    record.name = user.first;
    record.mechanism = user.second;
    record.salt = credential.salt;
    record.stored_key = credential.stored_key;
    record.server_key = credential.server_key;
    record.iterations = credential.iterations;
    write(record);
  }
  for (const auto& [id, acl] : image.acls) {
    AccessControlEntryRecord record;
    record.id = id;
    record.resource_type = acl.resource_type;
    record.resource_name = acl.resource_name;
    record.pattern_type = acl.pattern_type;
    record.principal = acl.principal;
    record.host = acl.host;
    record.operation = acl.operation;
    record.permission_type = acl.permission_type;
    write(record);
  }
  for (const auto& [id, token] : image.delegation_tokens) {
    DelegationTokenRecord record;
    record.owner = token.owner;
    record.requester = token.requester;
    record.renewers.assign(token.renewers.begin(), token.renewers.end());
    record.issue_timestamp = token.issue_timestamp;
    record.max_timestamp = token.max_timestamp;
    record.expiration_timestamp = token.expiration_timestamp;
    record.token_id = id;
    write(record);
  }
}

}  // namespace

void for_each_record(const Image& image, const std::function<void(Bytes)>& sink) {
  RecordWriter write{sink};
  const RecordVersions versions(image.feature(metadata_version_feature));
  write_features(image, write);
  for (const auto& [id, broker] : image.brokers) write(register_broker_record(*broker, versions.register_broker), versions.register_broker);
  for (const auto& [id, controller] : image.controllers) write(register_controller_record(*controller));
  image.topics.for_each([&](const std::string& name, const auto& topic) {
    TopicRecord record;
    record.name = name;
    record.topic_id = topic->id;
    write(record);
    write_partitions(*topic, versions.partition, write);
  });
  write_configs(image, write);
  write_quotas(image, write);
  if (image.next_producer_id > 0) {
    ProducerIdsRecord record;
    record.broker_id = image.producer_ids_broker;
    record.broker_epoch = image.producer_ids_broker_epoch;
    record.next_producer_id = image.next_producer_id;
    write(record);
  }
  write_security(image, write);
  if (image.zk_migration_state) {
    ZkMigrationStateRecord record;
    record.zk_migration_state = *image.zk_migration_state;
    write(record);
  }
}

}  // namespace kq::cluster
