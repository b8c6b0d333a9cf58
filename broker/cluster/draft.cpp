// How each record of the metadata log changes the image.
#include <algorithm>

#include "broker/cluster/image.hpp"
#include "libkq/protocol/messages/metadata_records.hpp"
#include "libkq/protocol/record_frame.hpp"

namespace kq::cluster {
namespace {

Error damaged(std::string text) { return {own_code::data, "the metadata log contradicts itself: " + std::move(text), Verdict::fatal}; }

std::vector<std::byte> copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

template <class Endpoints>
std::vector<Endpoint> copy_endpoints(const Endpoints& from) {
  std::vector<Endpoint> out;
  for (const auto& e : from) out.push_back({std::string(e.name), std::string(e.host), e.port, e.security_protocol});
  return out;
}

template <class Features>
std::map<std::string, FeatureRange, std::less<>> copy_features(const Features& from) {
  std::map<std::string, FeatureRange, std::less<>> out;
  for (const auto& f : from) out[std::string(f.name)] = {f.min_supported_version, f.max_supported_version};
  return out;
}

// A change names only what it changes; naming the leader, even the same one, begins a new leader epoch.
void merge(PartitionImage& partition, const PartitionChangeRecord& change) {
  if (change.replicas) partition.replicas = *change.replicas;
  if (change.isr) partition.isr = *change.isr;
  if (change.directories) partition.directories = *change.directories;
  if (change.removing_replicas) partition.removing_replicas = *change.removing_replicas;
  if (change.adding_replicas) partition.adding_replicas = *change.adding_replicas;
  if (change.eligible_leader_replicas) partition.eligible_leader_replicas = *change.eligible_leader_replicas;
  if (change.last_known_elr) partition.last_known_elr = *change.last_known_elr;
  if (change.leader_recovery_state >= 0) partition.leader_recovery_state = change.leader_recovery_state;
  constexpr int32_t no_leader_change = -2;
  if (change.leader != no_leader_change) {
    partition.leader = change.leader;
    ++partition.leader_epoch;
  }
  ++partition.partition_epoch;
}

}  // namespace

// One overload a record.
struct Draft::Apply {
  Draft& draft;
  Image& next = *draft.next_;
  Delta& delta = draft.delta_;

  Status operator()(const RegisterBrokerRecord& r) {
    auto broker = std::make_shared<BrokerImage>();
    broker->id = r.broker_id;
    broker->incarnation_id = r.incarnation_id;
    broker->epoch = r.broker_epoch;
    broker->endpoints = copy_endpoints(r.end_points);
    broker->features = copy_features(r.features);
    if (r.rack) broker->rack = std::string(*r.rack);
    broker->is_migrating_zk_broker = r.is_migrating_zk_broker;
    broker->fenced = r.fenced;
    broker->in_controlled_shutdown = r.in_controlled_shutdown;
    broker->log_dirs = r.log_dirs;
    next.brokers[r.broker_id] = std::move(broker);
    delta.brokers = true;
    return {};
  }
  Status operator()(const UnregisterBrokerRecord& r) {
    if (!draft.own_broker(r.broker_id, r.broker_epoch)) return unknown_broker("unregister_broker", r.broker_id);
    next.brokers.erase(r.broker_id);
    return {};
  }
  Status operator()(const FenceBrokerRecord& r) { return fence("fence_broker", r.id, r.epoch, true); }
  Status operator()(const UnfenceBrokerRecord& r) { return fence("unfence_broker", r.id, r.epoch, false); }
  Status operator()(const BrokerRegistrationChangeRecord& r) {
    BrokerImage* broker = draft.own_broker(r.broker_id, r.broker_epoch);
    if (!broker) return unknown_broker("broker_registration_change", r.broker_id);
    if (r.fenced != 0) broker->fenced = r.fenced > 0;
    if (r.in_controlled_shutdown != 0) broker->in_controlled_shutdown = r.in_controlled_shutdown > 0;
    if (!r.log_dirs.empty()) broker->log_dirs = r.log_dirs;
    return {};
  }
  Status operator()(const RegisterControllerRecord& r) {
    auto controller = std::make_shared<ControllerImage>();
    controller->id = r.controller_id;
    controller->incarnation_id = r.incarnation_id;
    controller->zk_migration_ready = r.zk_migration_ready;
    controller->endpoints = copy_endpoints(r.end_points);
    controller->features = copy_features(r.features);
    next.controllers[r.controller_id] = std::move(controller);
    delta.brokers = true;
    return {};
  }

  Status operator()(const TopicRecord& r) {
    if (next.topic(r.topic_id) || next.topic(r.name))
      return damaged("topic '" + std::string(r.name) + "' (" + r.topic_id.text() + ") is created twice");
    auto topic = std::make_shared<TopicImage>();
    topic->name = std::string(r.name);
    topic->id = r.topic_id;
    next.topics.put(topic->name, topic);
    next.topics_by_id.put(topic->id, topic);
    draft.owned_topics_[topic->id] = topic;
    draft.touched_topics_.push_back(topic->id);
    return {};
  }
  Status operator()(const RemoveTopicRecord& r) {
    const TopicImage* topic = draft.own(r.topic_id);
    if (!topic) return draft.topic_missing(r.topic_id, "remove_topic");
    const ConfigResource resource{ResourceType::topic, topic->name};
    if (next.configs.find(resource)) {
      next.configs.erase(resource);
      draft.owned_configs_.erase(resource);
      delta.configs.push_back(resource);
    }
    next.topics.erase(topic->name);
    next.topics_by_id.erase(r.topic_id);
    draft.owned_topics_.erase(r.topic_id);
    return {};
  }
  Status operator()(const PartitionRecord& r) {
    TopicImage* topic = draft.own(r.topic_id);
    if (!topic) return draft.topic_missing(r.topic_id, "partition");
    if (r.partition_id < 0 || r.partition_id > partition_id_max)
      return damaged("topic '" + topic->name + "' has a partition " + std::to_string(r.partition_id));
    const auto index = static_cast<size_t>(r.partition_id);
    if (topic->partitions.size() <= index) topic->partitions.resize(index + 1);
    topic->partitions[index] = PartitionImage{
        .replicas = r.replicas,
        .isr = r.isr,
        .directories = r.directories,
        .removing_replicas = r.removing_replicas,
        .adding_replicas = r.adding_replicas,
        .eligible_leader_replicas = r.eligible_leader_replicas.value_or(std::vector<int32_t>{}),
        .last_known_elr = r.last_known_elr.value_or(std::vector<int32_t>{}),
        .leader = r.leader,
        .leader_epoch = r.leader_epoch,
        .partition_epoch = r.partition_epoch,
        .leader_recovery_state = r.leader_recovery_state,
    };
    return {};
  }
  Status operator()(const PartitionChangeRecord& r) {
    TopicImage* topic = draft.own(r.topic_id);
    if (!topic) return draft.topic_missing(r.topic_id, "partition_change");
    if (!topic->partition(r.partition_id))
      return damaged("topic '" + topic->name + "' has no partition " + std::to_string(r.partition_id) + " to change");
    merge(topic->partitions[static_cast<size_t>(r.partition_id)], r);
    return {};
  }
  Status operator()(const ClearElrRecord& r) {
    if (!r.topic_name.empty()) {
      const TopicImage* topic = next.topic(r.topic_name);
      if (!topic) return damaged("clear_elr names topic '" + std::string(r.topic_name) + "', which is not there");
      clear_elr(*topic);
      return {};
    }
    std::vector<std::shared_ptr<const TopicImage>> all;
    next.topics.for_each([&](const auto&, const auto& topic) { all.push_back(topic); });
    for (const auto& topic : all) clear_elr(*topic);
    return {};
  }

  Status operator()(const ConfigRecord& r) {
    ConfigResource resource{static_cast<ResourceType>(r.resource_type), std::string(r.resource_name)};
    auto& own = draft.owned_configs_[resource];
    if (!own) {
      own = std::make_shared<ConfigMap>(next.config(resource.type, resource.name));
      delta.configs.push_back(resource);
    }
    if (r.value) own->insert_or_assign(std::string(r.name), std::string(*r.value));
    else if (const auto at = own->find(r.name); at != own->end()) own->erase(at);
    if (own->empty()) next.configs.erase(resource);
    else next.configs.put(std::move(resource), own);
    return {};
  }
  Status operator()(const FeatureLevelRecord& r) {
    if (r.feature_level == 0) next.features.erase(std::string(r.name));
    else next.features[std::string(r.name)] = r.feature_level;
    delta.features = true;
    return {};
  }
  Status operator()(const ProducerIdsRecord& r) {
    next.next_producer_id = r.next_producer_id;
    next.producer_ids_broker = r.broker_id;
    next.producer_ids_broker_epoch = r.broker_epoch;
    delta.producer_ids = true;
    return {};
  }

  Status operator()(const AccessControlEntryRecord& r) {
    next.acls[r.id] = {r.resource_type, std::string(r.resource_name), r.pattern_type, std::string(r.principal), std::string(r.host),
                       r.operation, r.permission_type};
    delta.security = true;
    return {};
  }
  Status operator()(const RemoveAccessControlEntryRecord& r) {
    next.acls.erase(r.id);
    delta.security = true;
    return {};
  }
  Status operator()(const UserScramCredentialRecord& r) {
    next.scram_credentials[{std::string(r.name), r.mechanism}] = {copy(r.salt), copy(r.stored_key), copy(r.server_key), r.iterations};
    delta.security = true;
    return {};
  }
  Status operator()(const RemoveUserScramCredentialRecord& r) {
    next.scram_credentials.erase({std::string(r.name), r.mechanism});
    delta.security = true;
    return {};
  }
  Status operator()(const DelegationTokenRecord& r) {
    next.delegation_tokens[std::string(r.token_id)] = {std::string(r.owner),
                                                       std::string(r.requester),
                                                       {r.renewers.begin(), r.renewers.end()},
                                                       r.issue_timestamp,
                                                       r.max_timestamp,
                                                       r.expiration_timestamp};
    delta.security = true;
    return {};
  }
  Status operator()(const RemoveDelegationTokenRecord& r) {
    next.delegation_tokens.erase(std::string(r.token_id));
    delta.security = true;
    return {};
  }
  Status operator()(const ClientQuotaRecord& r) {
    QuotaEntity entity;
    for (const auto& part : r.entity)
      entity[std::string(part.entity_type)] = part.entity_name ? std::optional{std::string(*part.entity_name)} : std::nullopt;
    if (!r.remove) next.client_quotas[entity][std::string(r.key)] = r.value;
    else if (const auto at = next.client_quotas.find(entity); at != next.client_quotas.end()) {
      at->second.erase(std::string(r.key));
      if (at->second.empty()) next.client_quotas.erase(at);
    }
    delta.client_quotas = true;
    return {};
  }
  Status operator()(const ZkMigrationStateRecord& r) {
    next.zk_migration_state = r.zk_migration_state;
    return {};
  }
  Status operator()(const NoOpRecord&) { return {}; }

 private:
  Status fence(const char* what, int32_t id, int64_t epoch, bool fenced) {
    BrokerImage* broker = draft.own_broker(id, epoch);
    if (!broker) return unknown_broker(what, id);
    broker->fenced = fenced;
    return {};
  }
  static Error unknown_broker(const char* what, int32_t id) {
    return damaged(std::string(what) + " names broker " + std::to_string(id) + ", which is not registered in that epoch");
  }
  void clear_elr(const TopicImage& topic) {
    const auto has_elr = [](const PartitionImage& p) { return !p.eligible_leader_replicas.empty() || !p.last_known_elr.empty(); };
    if (std::none_of(topic.partitions.begin(), topic.partitions.end(), has_elr)) return;
    for (PartitionImage& partition : draft.own(topic.id)->partitions) {
      if (!has_elr(partition)) continue;
      partition.eligible_leader_replicas.clear();
      partition.last_known_elr.clear();
      ++partition.partition_epoch;
    }
  }
};

Draft::Draft(std::shared_ptr<const Image> base) : base_(std::move(base)), next_(std::make_shared<Image>(*base_)) {}
Draft::~Draft() = default;

Status Draft::replay(Bytes record) {
  const auto frame = read_metadata_frame(record);
  if (!frame) return damaged("a record's frame cannot be read");
  switch (frame->type) {
    case BeginTransactionRecord::type:
      if (in_transaction_) return damaged("a transaction begins within a transaction");
      in_transaction_ = true;
      return {};
    case AbortTransactionRecord::type:
      if (!in_transaction_) return damaged("a transaction is aborted that was not begun");
      abort_transaction();
      return {};
    case EndTransactionRecord::type: {
      if (!in_transaction_) return damaged("a transaction ends that was not begun");
      in_transaction_ = false;
      const auto records = std::exchange(transaction_, {});
      for (const auto& held : records) KQ_TRY(apply(held));
      return {};
    }
    default:
      if (!in_transaction_) return apply(record);
      transaction_.push_back(copy(record));
      return {};
  }
}

void Draft::abort_transaction() {
  in_transaction_ = false;
  transaction_.clear();
}

Status Draft::apply(Bytes record) {
  const RecordFrame frame = *read_metadata_frame(record);
  const auto decoded = [&]<class Record>() -> Status {
    const auto message = decode<Record>(frame.message, frame.version);
    if (!message) return damaged(std::string(Record::schema_name) + " of version " + std::to_string(frame.version) + " cannot be read");
    return Apply{*this}(*message);
  };
  switch (frame.type) {
    case RegisterBrokerRecord::type: return decoded.operator()<RegisterBrokerRecord>();
    case UnregisterBrokerRecord::type: return decoded.operator()<UnregisterBrokerRecord>();
    case TopicRecord::type: return decoded.operator()<TopicRecord>();
    case PartitionRecord::type: return decoded.operator()<PartitionRecord>();
    case ConfigRecord::type: return decoded.operator()<ConfigRecord>();
    case PartitionChangeRecord::type: return decoded.operator()<PartitionChangeRecord>();
    case FenceBrokerRecord::type: return decoded.operator()<FenceBrokerRecord>();
    case UnfenceBrokerRecord::type: return decoded.operator()<UnfenceBrokerRecord>();
    case RemoveTopicRecord::type: return decoded.operator()<RemoveTopicRecord>();
    case DelegationTokenRecord::type: return decoded.operator()<DelegationTokenRecord>();
    case UserScramCredentialRecord::type: return decoded.operator()<UserScramCredentialRecord>();
    case FeatureLevelRecord::type: return decoded.operator()<FeatureLevelRecord>();
    case ClientQuotaRecord::type: return decoded.operator()<ClientQuotaRecord>();
    case ProducerIdsRecord::type: return decoded.operator()<ProducerIdsRecord>();
    case BrokerRegistrationChangeRecord::type: return decoded.operator()<BrokerRegistrationChangeRecord>();
    case AccessControlEntryRecord::type: return decoded.operator()<AccessControlEntryRecord>();
    case RemoveAccessControlEntryRecord::type: return decoded.operator()<RemoveAccessControlEntryRecord>();
    case NoOpRecord::type: return decoded.operator()<NoOpRecord>();
    case ZkMigrationStateRecord::type: return decoded.operator()<ZkMigrationStateRecord>();
    case RemoveUserScramCredentialRecord::type: return decoded.operator()<RemoveUserScramCredentialRecord>();
    case RemoveDelegationTokenRecord::type: return decoded.operator()<RemoveDelegationTokenRecord>();
    case RegisterControllerRecord::type: return decoded.operator()<RegisterControllerRecord>();
    case ClearElrRecord::type: return decoded.operator()<ClearElrRecord>();
    default: return damaged("record type " + std::to_string(frame.type) + " is unknown; a newer Kafka may have written it");
  }
}

Status Draft::topic_missing(const Uuid& id, const char* what) const {
  return damaged(std::string(what) + " names topic id " + id.text() + ", which is not there");
}

TopicImage* Draft::own(const Uuid& id) {
  if (const auto at = owned_topics_.find(id); at != owned_topics_.end()) return at->second.get();
  const TopicImage* topic = next_->topic(id);
  if (!topic) return nullptr;
  auto clone = std::make_shared<TopicImage>(*topic);
  next_->topics.put(clone->name, clone);
  next_->topics_by_id.put(id, clone);
  touched_topics_.push_back(id);
  return (owned_topics_[id] = std::move(clone)).get();
}

BrokerImage* Draft::own_broker(int32_t id, int64_t epoch) {
  const auto at = next_->brokers.find(id);
  if (at == next_->brokers.end() || at->second->epoch != epoch) return nullptr;
  auto clone = std::make_shared<BrokerImage>(*at->second);
  BrokerImage* broker = clone.get();
  at->second = std::move(clone);
  delta_.brokers = true;
  return broker;
}

std::pair<std::shared_ptr<const Image>, Delta> Draft::finish(int64_t offset, int32_t epoch) {
  next_->offset = offset;
  next_->epoch = epoch;
  const auto held = [](const Image& image, const Uuid& id) {
    const auto* topic = image.topics_by_id.find(id);
    return topic ? *topic : nullptr;
  };
  for (const Uuid& id : touched_topics_) {
    Delta::TopicChange change{held(*base_, id), held(*next_, id)};
    if (change.before || change.after) delta_.topics.push_back(std::move(change));
  }
  return {std::move(next_), std::move(delta_)};
}

}  // namespace kq::cluster
