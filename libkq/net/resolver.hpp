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
  Address address() const;                                 // the host as a number
  std::string text() const { return address().text(); }    // "127.0.0.1:9092", "[::1]:9092"
};

// Addresses written as numbers are answered at once.
Result<std::vector<SocketAddress>> resolve_numeric(const Address&);
// Names go to getaddrinfo on a short-lived thread of its own, as it cannot be interrupted: where the deadline comes first the answer is
// given up and the thread ends by itself.  For listening, an empty host is every interface.
awaitable<Result<std::vector<SocketAddress>>> resolve(Loop&, const Address&, Instant deadline);
Result<std::vector<SocketAddress>> resolve_for_listening(const Address&);       // may block

// What a Network of names has beside its streams; the one in memory has none, and its addresses are what they are.
class Names {
 public:
  virtual ~Names() = default;
  // The addresses of a name, as numbers, in the order in which they are best tried.
  virtual awaitable<Result<std::vector<Address>>> addresses_of(Loop&, const Address&, Instant deadline) = 0;
  // The names that its addresses have by themselves (a reverse look-up); an address that has none stays a number.
  virtual awaitable<Result<std::vector<Address>>> canonical_names_of(Loop&, const Address&, Instant deadline) = 0;
};

awaitable<Result<std::vector<Address>>> canonical_names(Loop&, const Address&, Instant deadline);

}  // namespace kq
