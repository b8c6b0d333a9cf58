// Host names to addresses, without blocking the loop.
#pragma once

#include <sys/socket.h>

#include <vector>

#include "libkq/net/stream.hpp"

namespace kq {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  std::string text() const;                                // "127.0.0.1:9092", "[::1]:9092"
};

// Addresses written as numbers are answered at once.
Result<std::vector<SocketAddress>> resolve_numeric(const Address&);
// Names go to getaddrinfo on a short-lived thread of its own, as it cannot be interrupted: where the deadline comes first the answer is
// given up and the thread ends by itself.  For listening, an empty host is every interface.
awaitable<Result<std::vector<SocketAddress>>> resolve(Loop&, const Address&, Instant deadline);
Result<std::vector<SocketAddress>> resolve_for_listening(const Address&);       // may block

}  // namespace kq
