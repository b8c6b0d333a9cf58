// What producer, consumer and admin handles have in common: their loop, their fault, and the process they were made in.
#pragma once

#include <mutex>
#include <optional>

#include "libkq/api/guard.hpp"
#include "libkq/client/cluster.hpp"
#include "libkq/client/config.hpp"
#include "libkq/client/driver.hpp"

struct kq_loop {
  std::shared_ptr<kq::client::Driver> driver;
};

namespace kq::api {

class Handle {
 public:
  explicit Handle(std::shared_ptr<client::Driver> driver) : driver_(std::move(driver)) {}

  const std::shared_ptr<client::Driver>& driver() const { return driver_; }
  bool forked() const { return fork_generation() != born_; }
  // Why no call can be served any more: a fork, or a fault.  Asked by every send, so it costs two loads as long as all is well.
  bool usable() const { return !forked() && !driver_->faulty() && !faulty_.load(std::memory_order_relaxed); }
  Error unusable() const;
  void fail(const Error& fault);

 private:
  const std::shared_ptr<client::Driver> driver_;
  const uint64_t born_ = fork_generation();
  mutable std::mutex mutex_;
  std::optional<Error> fault_;
  std::atomic<bool> faulty_{false};
};

Error forked_error();
std::shared_ptr<client::Driver> make_driver(kq_loop* loop);          // the loop's, or one with a thread of its own
SocketOptions socket_options(const client::Config&);

// A cluster that this handle alone uses, until client::end_client.
Result<std::shared_ptr<client::Cluster>> make_cluster(client::Driver&, const client::Config&);

// Runs the body of a call on a handle, which may be const.
template <class Kind, class Body>
kq_error* guard_handle(Kind* handle, const Body& body) noexcept {
  if (!handle) return guard([]() -> Status { return null_argument("the handle"); });
  return guard(
      [&]() -> kq_error* {
        if (!handle->usable()) return make_error(handle->unusable());
        auto result = body();
        if constexpr (std::is_convertible_v<decltype(result), kq_error*>) return result;
        else return result.ok() ? nullptr : make_error(result.error());
      },
      [&](const Error& fault) { const_cast<std::remove_const_t<Kind>*>(handle)->fail(fault); });
}

}  // namespace kq::api
