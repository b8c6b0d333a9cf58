// kq_producer: a producer and its loop.
#pragma once

#include "libkq/api/handle.hpp"
#include "libkq/client/producer.hpp"

struct kq_producer : kq::api::Handle {
  static constexpr size_t deliveries_per_poll_max = 16384;

  kq_producer(std::shared_ptr<kq::client::Driver> on, std::unique_ptr<kq::client::Producer> sends, const kq::client::Config& config)
      : Handle(std::move(on)), producer(std::move(sends)), api_timeout(config.api_timeout) {}

  void end() {
    producer->begin_close();
    producer->abandon();
    driver()->wait(producer->progress(), kq::Instant::max(), [this] { return producer->closed(); });
    producer.reset();
    driver()->run([] {});                            // what it leaves behind on the loop ends there
  }

  std::unique_ptr<kq::client::Producer> producer;
  const kq::Duration api_timeout;
  std::mutex closing;
};

namespace kq::api {

// Before a close: what is open is aborted, as far as there is time.
void abort_open_transaction(kq_producer*, Instant deadline);

}  // namespace kq::api
