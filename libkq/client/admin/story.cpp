#include "libkq/client/admin/story.hpp"

#include <charconv>

namespace kq::client::admin {

Result<std::vector<int32_t>> read_brokers(std::string_view list) {
  std::vector<int32_t> brokers;
  for (const char* at = list.data(), *end = at + list.size();;) {
    int32_t broker = 0;
    const auto [stop, failure] = std::from_chars(at, end, broker);
    if (failure != std::errc{} || (stop != end && *stop != ','))
      return Error(own_code::argument, "an assignment is broker ids with commas, as in 1,2,3, and not '" + std::string(list) + "'");
    brokers.push_back(broker);
    if (stop == end) return brokers;
    at = stop + 1;
  }
}

awaitable<Result<std::vector<int32_t>>> all_brokers(std::shared_ptr<Cluster> cluster, Instant deadline) {
  Status refreshed = co_await cluster->refreshed(deadline);
  if (!refreshed) co_return std::move(refreshed.error());
  std::vector<int32_t> brokers;
  for (const auto& [id, node] : cluster->nodes()) brokers.push_back(id);
  co_return brokers;
}

}  // namespace kq::client::admin
