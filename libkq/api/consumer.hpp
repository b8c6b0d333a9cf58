// kq_consumer: the handle.  Its calls are in consumer.cpp, those about groups in group.cpp.
#pragma once

#include "libkq/api/consumer_handle.hpp"
#include "libkq/client/consumer.hpp"

struct kq_consumer : kq::api::ConsumerHandle<kq::client::Consumer> {
  kq_consumer(std::shared_ptr<kq::client::Driver> on, std::shared_ptr<kq::client::Cluster> of, const kq::client::Config& config)
      : ConsumerHandle(std::move(on), std::move(of), config),
        isolation_level(config.isolation == kq::client::Isolation::read_committed) {}

  const int8_t isolation_level;
};

namespace kq::api {
inline Status closed_consumer_error() { return Error(own_code::closed, "the consumer is closed"); }
}  // namespace kq::api
