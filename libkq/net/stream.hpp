// Bytes in and out: TCP, TLS and memory behind one seam, and the network that makes such streams.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "libkq/base/file_source.hpp"
#include "libkq/net/loop.hpp"

namespace kq {

// What an operation that never waits has done.
struct Transfer {
  enum class State : uint8_t { moved, blocked, ended, failed };
  State state;
  size_t bytes = 0;                                   // of `moved`, at least 1

  bool moved() const { return state == State::moved; }
  bool blocked() const { return state == State::blocked; }
};

// One connection.  Belongs to its loop's thread.  try_… never wait; after `blocked`, await readable() or writable() and try
// again (a spurious wake-up is possible).  At most one coroutine waits for each direction.  close() may be called at any time and wakes
// both, which then find `failed`; the object must outlive its waiters.
class Stream {
 public:
  virtual ~Stream() = default;

  virtual Transfer try_read(MutableBytes into) = 0;                       // ended: the peer has closed its side
  // One gathering write; may move a part.  `more`: what follows is written at once, so the kernel need not hurry with this.
  virtual Transfer try_write(std::span<const Bytes> pieces, bool more = false) = 0;
  virtual Transfer try_send_file(const FileSource&, uint64_t position, size_t length) = 0;
  // Does a read that moved less than it was offered leave nothing behind?  Then readable() may be awaited without another try.
  virtual bool short_read_empties() const { return false; }
  virtual awaitable<void> readable() = 0;
  virtual awaitable<void> writable() = 0;
  virtual void close() = 0;
  virtual bool closed() const = 0;
  virtual const Error& failure() const = 0;                               // why it failed, or that it was closed
  virtual const std::string& peer() const = 0;                            // "127.0.0.1:41234", "[::1]:9"
  virtual Loop& loop() = 0;

  // The same as sequences, to be awaited.  Deadlines are a Timer that calls close().
  awaitable<Result<size_t>> read_some(MutableBytes into);                 // 0: the peer has closed its side
  awaitable<Status> read_exactly(MutableBytes into);
  awaitable<Status> write_all(Bytes bytes);
  awaitable<Status> write_all(std::span<Bytes> pieces);                   // consumes `pieces`
  awaitable<Status> send_file(const FileSource&, uint64_t position, size_t length);
};

struct Address {
  std::string host;                                                       // a name, an IPv4 or an IPv6 address without brackets
  uint16_t port = 0;

  std::string text() const;                                               // "host:port", IPv6 in brackets
  static Result<Address> parse(std::string_view text);                    // the same form back
  bool operator==(const Address&) const = default;
};

// An accepted connection, not yet on a loop.
class PendingStream {
 public:
  virtual ~PendingStream() = default;
  virtual std::unique_ptr<Stream> on(Loop&) = 0;                          // on that loop's thread, once
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual awaitable<Result<std::unique_ptr<PendingStream>>> accept() = 0; // fails with own_code::closed after close()
  virtual uint16_t port() const = 0;                                      // the real one where 0 was asked for
  virtual void close() = 0;
};

// Where streams come from: the real network, or the simulator's.
class Network {
 public:
  virtual ~Network() = default;
  virtual Result<std::unique_ptr<Listener>> listen(Loop&, const Address&) = 0;
  // Tries each address that the name has until one answers.  The error names the address and the cause.
  virtual awaitable<Result<std::unique_ptr<Stream>>> connect(Loop&, const Address&, Instant deadline) = 0;
};

struct SocketOptions {
  int send_buffer_bytes = -1;                                             // -1: the kernel's own
  int receive_buffer_bytes = -1;
  int backlog = 50;
};
std::unique_ptr<Network> tcp_network(SocketOptions = {});

}  // namespace kq
