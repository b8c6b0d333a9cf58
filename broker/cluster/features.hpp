// The features of a cluster, and the levels that Kafka 4.2, and so kqd, knows (cluster.md, 2).
#pragma once

#include <cstdint>
#include <string_view>

namespace kq::cluster {

constexpr std::string_view kraft_version_feature = "kraft.version";

struct Feature {
  std::string_view name;
  int16_t min, max;                                  // levels that are understood
  int16_t fresh;                                     // of a cluster that is formatted today
};

// metadata.version first, as it tells the forms of all other records; the rest by name.
constexpr Feature features[] = {
    {"metadata.version", 7, 29, 29},
    {"eligible.leader.replicas.version", 0, 1, 1},
    {"group.version", 0, 1, 1},
    {"kraft.version", 0, 1, 1},
    {"share.version", 0, 1, 1},
    {"streams.version", 0, 1, 1},
    {"transaction.version", 0, 2, 2},
};

}  // namespace kq::cluster
