// kq_share_consumer: the handle.
#pragma once

#include "libkq/api/handle.hpp"
#include "libkq/client/ending.hpp"
#include "libkq/client/share_consumer.hpp"

struct kq_share_consumer : kq::api::Handle {
  kq_share_consumer(std::shared_ptr<kq::client::Driver> on, std::shared_ptr<kq::client::Cluster> of,
                    const kq::client::Config& config)
      : Handle(std::move(on)),
        cluster(std::move(of)),
        consumer(std::make_shared<kq::client::ShareConsumer>(driver(), cluster, config)),
        api_timeout(config.api_timeout) {}

  kq::Instant deadline(int32_t timeout_ms) const {
    return timeout_ms < 0 ? kq::Clock::now() + api_timeout : kq::client::deadline_after(timeout_ms);
  }
  void close() {
    if (std::exchange(closed, true)) return;
    kq::client::end_client(*driver(), consumer, cluster);
  }
  // The same with manners.
  kq::Status end(kq::Instant by) {
    if (closed) return {};
    auto ended = driver()->await<bool>([&] { return consumer->end(by); });
    close();
    KQ_TRY(std::move(ended));
    return {};
  }

  std::shared_ptr<kq::client::Cluster> cluster;
  const std::shared_ptr<kq::client::ShareConsumer> consumer;
  const kq::Duration api_timeout;
  std::mutex closing;
  bool closed = false;
};

namespace kq::api {
inline Status closed_share_consumer_error() { return Error(own_code::closed, "the share consumer is closed"); }
}  // namespace kq::api
