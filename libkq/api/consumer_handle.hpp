// What the handles of a consumer and of a share consumer have in common: a client on a cluster of its own, and how both end.
#pragma once

#include "libkq/api/handle.hpp"
#include "libkq/client/ending.hpp"

namespace kq::api {

template <class Client>
struct ConsumerHandle : Handle {
  ConsumerHandle(std::shared_ptr<client::Driver> on, std::shared_ptr<client::Cluster> of, const client::Config& config)
      : Handle(std::move(on)),
        cluster(std::move(of)),
        consumer(std::make_shared<Client>(driver(), cluster, config)),
        api_timeout(config.api_timeout) {}

  Instant deadline(int32_t timeout_ms) const {
    return timeout_ms < 0 ? Clock::now() + api_timeout : client::deadline_after(timeout_ms);
  }
  void close() {
    if (std::exchange(closed, true)) return;
    client::end_client(*driver(), consumer, cluster);
  }
  // The same with manners.
  Status end(Instant by) {
    if (closed) return {};
    auto ended = driver()->template await<bool>([&] { return consumer->end(by); });
    close();
    KQ_TRY(std::move(ended));
    return {};
  }

  std::shared_ptr<client::Cluster> cluster;
  const std::shared_ptr<Client> consumer;
  const Duration api_timeout;
  std::mutex closing;
  bool closed = false;
};

}  // namespace kq::api
