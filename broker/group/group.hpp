// What a group of any protocol answers for: its offsets' life depends on it.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/coordinator/state_machine.hpp"
#include "broker/group/config.hpp"
#include "broker/group/texts.hpp"
#include "broker/group/timers.hpp"
#include "libkq/protocol/codes.hpp"
#include "libkq/protocol/messages/group_records.hpp"

namespace kq::group {

using coordinator::Now;
using coordinator::Writes;

enum class GroupType : uint8_t { classic, consumer, share, streams };
const char* name_of(GroupType);

// A committed offset.
struct Offset {
  int64_t offset = -1;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_ms = -1;
  int64_t expire_ms = -1;  // as old clients asked; -1: with the group's
  Uuid topic_id;
  int64_t record_offset = -1;  // where it stands in the log

  bool operator==(const Offset&) const = default;
};

// Who commits or fetches, as the request has it.
struct OffsetsCaller {
  std::string_view member_id;
  int32_t generation_or_epoch = -1;
  std::optional<std::string_view> group_instance_id;
  bool transactional = false;
  int16_t version = 0;
};

class Group {
 public:
  explicit Group(std::string id) : id(std::move(id)) {}
  virtual ~Group() = default;

  const std::string id;

  virtual GroupType type() const = 0;
  virtual std::string_view state_name() const = 0;
  virtual std::string_view protocol_type() const = 0;  // empty: none
  virtual bool empty() const = 0;                      // no member
  virtual bool subscribed_to(std::string_view topic) const = 0;

  virtual Code check_commit(const OffsetsCaller&) const = 0;
  // The same for one partition, after the whole has passed.  What refuses one refuses all.
  virtual Code check_commit_of(const OffsetsCaller&, std::string_view, int32_t) const { return Code::none; }
  virtual Code check_fetch(std::string_view, int32_t) const { return Code::none; }
  virtual Code check_offset_delete() const = 0;
  virtual Code check_delete() const = 0;
  // An empty one goes when it has no offsets left.
  virtual bool expires() const { return true; }
  // When its offsets are old: counted from here.  Nothing: they do not expire now.
  virtual std::optional<int64_t> expires_from(const Offset&) const = 0;
  // Tombstones for all but the offsets.
  virtual void remove(Writes&) const = 0;
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// The groups of one shard, and what all that works on them shares.  Externally synchronized, like the shard.
struct Groups {
  explicit Groups(GroupConfig its_config, std::function<std::string()> its_new_id)
      : config(std::move(its_config)), new_id(std::move(its_new_id)) {}

  template <class Of = Group>
  Of* find(std::string_view id) const {
    const auto found = all.find(id);
    return found == all.end() ? nullptr : dynamic_cast<Of*>(found->second.get());
  }
  Group& put(std::unique_ptr<Group> group) {
    Group& held = *group;
    all[held.id] = std::move(group);
    return held;
  }
  void erase(std::string_view id) {
    if (const auto found = all.find(id); found != all.end()) all.erase(found);
  }

  // What is set for the group, else for the broker.
  int64_t setting(std::string_view group, std::string_view key, int64_t otherwise) const {
    const auto& settings = image->config(cluster::ResourceType::group, group);
    const auto found = settings.find(key);
    return found == settings.end() ? otherwise : std::strtoll(found->second.c_str(), nullptr, 10);
  }

  const GroupConfig config;
  const std::function<std::string()> new_id;  // a fresh UUID in hex
  std::unordered_map<std::string, std::unique_ptr<Group>, TextHash, std::equal_to<>> all;
  Timers timers;
  std::shared_ptr<const cluster::Image> image = std::make_shared<const cluster::Image>();
};

}  // namespace kq::group
