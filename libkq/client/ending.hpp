// How a client on a cluster of its own ends.
#pragma once

#include "libkq/client/cluster.hpp"
#include "libkq/client/driver.hpp"

namespace kq::client {

// Closes both, turns the loop until nothing of them runs on it any more, and lets go of the cluster.  False: something waits for what cannot
// be hurried (a name that is being resolved, a connection that is being made); then the loop keeps it until that has ended.
template <class Client>
bool end_client(Driver& driver, const std::shared_ptr<Client>& client, std::shared_ptr<Cluster>& cluster) {
  constexpr int turns_max = 1000;
  constexpr long cluster_owners = 2;  // the client, which its handle keeps for calls that come late, and `cluster`
  bool over = false;
  driver.run([&] {
    client->close();
    cluster->close();
  });
  for (int turn = 0; !over && turn < turns_max; ++turn)
    driver.run([&] { over = client.use_count() == 1 && cluster.use_count() == cluster_owners; });
  driver.run([&] { cluster.reset(); });
  return over;
}

}  // namespace kq::client
