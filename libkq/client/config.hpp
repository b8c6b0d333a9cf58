// The client's options: strings on the outside, typed and checked on the inside, both from config.def.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libkq/base/clock.hpp"
#include "libkq/base/log.hpp"
#include "libkq/base/result.hpp"

namespace kq::client {

enum class Acks : int8_t { all, none, leader };
enum class GroupProtocol : int8_t { classic, consumer };
enum class Compression : int8_t { none, gzip, snappy, lz4, zstd };
enum class DeliveryReport : int8_t { all, errors, none };
enum class DnsLookup : int8_t { use_all_dns_ips, resolve_canonical_bootstrap_servers_only };
enum class Isolation : int8_t { read_uncommitted, read_committed };
enum class Partitioner : int8_t { murmur2_random, consistent_random };
enum class Recovery : int8_t { rebootstrap, none };
enum class ShareAcknowledgement : int8_t { implicit, by_call };
enum class ShareAcquire : int8_t { batch_optimized, record_limit };
enum class Security : int8_t { plaintext, ssl, sasl_plaintext, sasl_ssl };

enum class Role : uint8_t { producer = 1, consumer = 2, admin = 4 };

// One option, for listings.  Static.
struct OptionInfo {
  std::string_view name;
  std::string_view alias;                    // librdkafka's; empty: the same, or none
  std::string_view type;                     // "boolean", "int", "string", "list", "enum"
  std::string default_value;                 // as it would be set
  std::string allowed;                       // "0 .. 900000", "none|gzip|snappy|lz4|zstd"; empty: anything of the type
  std::string_view doc;
  uint8_t roles;                             // of Role
};
std::span<const OptionInfo> options();       // sorted by name
const OptionInfo* find_option(std::string_view name_or_alias);

using Setting = std::pair<std::string, std::string>;

// What a handle was made with.  Members and defaults are those of config.def.
struct Config {
  // Every key and value is checked; an error names the key, what is wrong, what is allowed, and for an unknown key the nearest known
  // one.  Options of other roles are checked as well, and have no effect.
  static Result<Config> parse(Role, std::span<const Setting>);

  bool was_set(std::string_view name) const;

#define KQ_TIME(roles, name, alias, field, default, least, most, doc) Duration field = default;
#define KQ_INT(roles, name, alias, field, default, least, most, doc) int32_t field = default;
#define KQ_BYTES(roles, name, alias, field, default, least, most, doc) int64_t field = default;
#define KQ_FLAG(roles, name, alias, field, default, doc) bool field = default;
#define KQ_TEXT(roles, name, alias, field, default, doc) std::string field = default;
#define KQ_LIST(roles, name, alias, field, default, doc) std::vector<std::string> field{};
#define KQ_CHOICE(roles, name, alias, field, type, default, choices, doc) type field = type::default;
#include "libkq/client/config.def"
#include "libkq/client/config_undef.hpp"

 private:
  Status set(std::string_view key, std::string_view value);
  Status settle(Role);                       // what options say about each other
  Status settle_consumer() const;

  std::vector<std::string_view> set_;        // names of what was set
};

}  // namespace kq::client
