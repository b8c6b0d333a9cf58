// Admin: runs requests for administration, several at a time, and hands out their rows.
#pragma once

#include <deque>

#include "libkq/client/admin/operation.hpp"
#include "libkq/client/beacon.hpp"
#include "libkq/client/driver.hpp"

namespace kq::client {

// Any thread, except close().  Held by shared_ptr: a request under way holds it.
class Admin : public std::enable_shared_from_this<Admin> {
 public:
  Admin(std::shared_ptr<Driver> driver, std::shared_ptr<Cluster> cluster, Duration api_timeout)
      : driver_(std::move(driver)), cluster_(std::move(cluster)), api_timeout_(api_timeout) {}

  Result<std::unique_ptr<kq_rows>> run(const admin::Request&, int32_t timeout_ms);
  Status start(const admin::Request&, uint64_t tag);
  Result<std::unique_ptr<kq_rows>> poll(Instant deadline);         // null: nothing in time
  int descriptor();
  void close();                                                    // on the loop

 private:
  static awaitable<void> tell(std::shared_ptr<Admin> self, admin::Request request, uint64_t tag, Instant deadline);
  bool may_have_something() const { return closed_ || !finished_.empty(); }

  const std::shared_ptr<Driver> driver_;
  const std::shared_ptr<Cluster> cluster_;
  const Duration api_timeout_;

  Bell bell_;
  std::mutex mutex_;                                               // for all below
  std::deque<std::unique_ptr<kq_rows>> finished_;
  Beacon beacon_;
  bool closed_ = false;
};

}  // namespace kq::client
