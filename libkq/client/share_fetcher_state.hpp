// What the ShareFetcher knows of a partition and of a node.  For its own sources.
#pragma once

#include "libkq/client/share_fetcher.hpp"

namespace kq::client {

struct ShareFetcher::Part {
  std::shared_ptr<const std::string> topic;
  int32_t index = 0;
  Uuid id{};
  bool assigned = false;
  int32_t leader = -1, leader_epoch = -1;
  int32_t placed = -1;  // the node whose `wanted` has it
  std::optional<Instant> rest_until{};
  int failures = 0;
  std::optional<Code> told{};
  Runs<Held_> held{};

  SharePart key() const { return {id, index}; }
  std::string name() const { return *topic + "-" + std::to_string(index); }
};

struct ShareFetcher::Node {
  int32_t id = -1;
  ShareSession session{};
  std::set<SharePart> wanted{};   // to be fetched from here
  ShareAcks pending{}, flying{};  // to be said, and said without an answer yet
  bool busy = false, fetching = false, fetch_sent = false;
  bool hurried = false, ending = false;
  std::optional<Instant> retry_at{};
  int failures = 0;
};

namespace share_detail {
Error refusal(const std::string& what, Code code, std::string_view said);
}

}  // namespace kq::client
