// kq_config: keys and values as they were set.
#pragma once

#include "libkq/api/guard.hpp"
#include "libkq/client/config.hpp"

struct kq_config {
  std::vector<kq::client::Setting> settings;       // in the order of setting; a key once, whichever of its names was used
};

namespace kq::api {

// Checked as a whole; NULL: nothing was set.
Result<client::Config> parse_config(client::Role, const kq_config*);

}  // namespace kq::api
