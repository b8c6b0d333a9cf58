// What the metadata log says, as one immutable value.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/cluster/cow_map.hpp"
#include "libkq/base/bytes.hpp"
#include "libkq/base/result.hpp"
#include "libkq/base/uuid.hpp"

namespace kq::cluster {

constexpr int32_t no_leader = -1;

struct Endpoint {
  std::string name;                                  // of the listener
  std::string host;
  uint16_t port = 0;
  int16_t security_protocol = 0;                     // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
};

struct FeatureRange {
  int16_t min = 0, max = 0;
};

struct BrokerImage {
  int32_t id = -1;
  Uuid incarnation_id;
  int64_t epoch = -1;
  std::vector<Endpoint> endpoints;
  std::map<std::string, FeatureRange, std::less<>> features;
  std::optional<std::string> rack;
  bool is_migrating_zk_broker = false;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> log_dirs;

  const Endpoint* endpoint(std::string_view listener) const;      // nullptr: not reachable there
};

struct ControllerImage {
  int32_t id = -1;
  Uuid incarnation_id;
  bool zk_migration_ready = false;
  std::vector<Endpoint> endpoints;
  std::map<std::string, FeatureRange, std::less<>> features;
};

struct PartitionImage {
  std::vector<int32_t> replicas;                     // empty: no such partition
  std::vector<int32_t> isr;
  std::vector<Uuid> directories;                     // one for each replica
  std::vector<int32_t> removing_replicas;
  std::vector<int32_t> adding_replicas;
  std::vector<int32_t> eligible_leader_replicas;
  std::vector<int32_t> last_known_elr;
  int32_t leader = no_leader;
  int32_t leader_epoch = -1;
  int32_t partition_epoch = -1;
  int8_t leader_recovery_state = 0;                  // 1: elected uncleanly, still recovering

  bool operator==(const PartitionImage&) const = default;
};

struct TopicImage {
  std::string name;
  Uuid id;
  std::vector<PartitionImage> partitions;            // by partition number

  const PartitionImage* partition(int32_t index) const {
    if (index < 0 || static_cast<size_t>(index) >= partitions.size() || partitions[index].replicas.empty()) return nullptr;
    return &partitions[index];
  }
};

// Whose configuration: the types of DescribeConfigs and of config records.
enum class ResourceType : int8_t { unknown = 0, topic = 2, broker = 4, broker_logger = 8, client_metrics = 16, group = 32 };

struct ConfigResource {
  ResourceType type = ResourceType::unknown;
  std::string name;                                  // of a broker: its id, or empty for all brokers

  auto operator<=>(const ConfigResource&) const = default;
};
using ConfigMap = std::map<std::string, std::string, std::less<>>;

struct ScramCredential {
  std::vector<std::byte> salt, stored_key, server_key;
  int32_t iterations = 0;
};
struct DelegationToken {
  std::string owner, requester;
  std::vector<std::string> renewers;
  int64_t issue_timestamp = 0, max_timestamp = 0, expiration_timestamp = 0;
};
struct Acl {
  int8_t resource_type = 0;
  std::string resource_name;
  int8_t pattern_type = 0;
  std::string principal, host;
  int8_t operation = 0, permission_type = 0;
};
using QuotaEntity = std::map<std::string, std::optional<std::string>>;      // "user", "client-id", "ip" to a name; null: the default

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
struct ResourceHash {
  size_t operator()(const ConfigResource& r) const { return TextHash{}(r.name) * 31 + static_cast<size_t>(r.type); }
};

// Shared by all threads, never changed; its successor shares what stayed the same.  Whoever answers from it holds the shared_ptr as
// long as views into it are about.
struct Image {
  int64_t offset = -1;                               // of the last record applied
  int32_t epoch = 0;                                 // of the quorum, when that record was written

  std::map<std::string, int16_t, std::less<>> features;                 // finalized levels; kraft.version stands apart
  int16_t kraft_version = 0;                         // from control records, not from features
  std::map<int32_t, std::shared_ptr<const BrokerImage>> brokers;
  std::map<int32_t, std::shared_ptr<const ControllerImage>> controllers;
  CowMap<std::string, std::shared_ptr<const TopicImage>, TextHash, std::equal_to<>> topics;
  CowMap<Uuid, std::shared_ptr<const TopicImage>, std::hash<Uuid>, std::equal_to<>> topics_by_id;
  CowMap<ConfigResource, std::shared_ptr<const ConfigMap>, ResourceHash, std::equal_to<>> configs;
  int64_t next_producer_id = 0;
  int32_t producer_ids_broker = -1;                  // who took the last block
  int64_t producer_ids_broker_epoch = -1;
  std::map<Uuid, Acl> acls;
  std::map<std::pair<std::string, int8_t>, ScramCredential> scram_credentials;      // by user and mechanism
  std::map<QuotaEntity, std::map<std::string, double>> client_quotas;
  std::map<std::string, DelegationToken> delegation_tokens;
  std::optional<int8_t> zk_migration_state;

  const TopicImage* topic(std::string_view name) const;
  const TopicImage* topic(const Uuid& id) const;
  const BrokerImage* broker(int32_t id) const;
  const ConfigMap& config(ResourceType type, std::string_view name) const;      // empty where nothing is set
  int16_t feature(std::string_view name) const;                                 // 0: not there
  size_t partition_count() const;
};

// What changed from one image to the next.
struct Delta {
  struct TopicChange {
    std::shared_ptr<const TopicImage> before;        // null: created
    std::shared_ptr<const TopicImage> after;         // null: deleted
  };
  std::vector<TopicChange> topics;                   // one for each topic id
  std::vector<ConfigResource> configs;
  bool features = false;
  bool brokers = false;                              // or controllers
  bool producer_ids = false;
  bool security = false;                             // ACLs, SCRAM credentials, tokens
  bool client_quotas = false;
};

// The next image, while records are applied to it one at a time.  Belongs to one thread.
class Draft {
 public:
  static constexpr int32_t partition_id_max = 1'000'000;

  explicit Draft(std::shared_ptr<const Image> base);
  ~Draft();

  // Applies the value of a record of __cluster_metadata (or of a snapshot).  Records inside a transaction are kept until it ends, and
  // dropped when it is aborted.  An error: the record cannot be read, or contradicts the image; the draft is of no further use.
  Status replay(Bytes record);
  bool in_transaction() const { return in_transaction_; }
  // Forgets a transaction that was begun and will not end.
  void abort_transaction();

  void set_kraft_version(int16_t version) { next_->kraft_version = version; }

  // The image as it stands, without finishing: what the controller decides on.
  const Image& image() const { return *next_; }
  // Ends the draft.
  std::pair<std::shared_ptr<const Image>, Delta> finish(int64_t offset, int32_t epoch);

 private:
  struct Apply;
  Status apply(Bytes record);
  Status topic_missing(const Uuid& id, const char* what) const;
  TopicImage* own(const Uuid& id);
  BrokerImage* own_broker(int32_t id, int64_t epoch);

  std::shared_ptr<const Image> base_;
  std::shared_ptr<Image> next_;
  // Cloned or made in this draft, so free to be changed.
  boost::unordered_flat_map<Uuid, std::shared_ptr<TopicImage>, std::hash<Uuid>> owned_topics_;
  std::vector<Uuid> touched_topics_;                 // in the order of their first change
  std::map<ConfigResource, std::shared_ptr<ConfigMap>> owned_configs_;
  Delta delta_;
  bool in_transaction_ = false;
  std::vector<std::vector<std::byte>> transaction_;
};

// Calls `write` with every record of a snapshot of the image, in Kafka's order.
void for_each_record(const Image&, const std::function<void(Bytes record)>& write);

}  // namespace kq::cluster
