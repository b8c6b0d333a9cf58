// Streams over TCP sockets.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "libkq/net/resolver.hpp"
#include "libkq/net/stream.hpp"

namespace kq {
namespace {

constexpr size_t pieces_max = 64;                        // handed to the kernel in one gathering write

struct Descriptor {
  explicit Descriptor(int number) : number(number) {}
  Descriptor(Descriptor&& other) noexcept : number(std::exchange(other.number, -1)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  int number;
};

template <class Call>
ssize_t uninterrupted(Call call) {
  for (;;)
    if (const ssize_t result = call(); result >= 0 || errno != EINTR) return result;
}

void apply(const SocketOptions& options, int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (options.send_buffer_bytes > 0)
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &options.send_buffer_bytes, sizeof options.send_buffer_bytes);
  if (options.receive_buffer_bytes > 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof options.receive_buffer_bytes);
}

class TcpStream final : public Stream {
 public:
  TcpStream(Loop& loop, Descriptor socket, std::string peer)
      : loop_(loop), socket_(std::move(socket)), watch_(loop, socket_.number), peer_(std::move(peer)),
        failure_(own_code::closed, "the connection to " + peer_ + " is closed", Verdict::retry) {}

  Transfer try_read(MutableBytes into) override {
    if (closed_) return {Transfer::State::failed};
    const ssize_t got = uninterrupted([&] { return ::recv(socket_.number, into.data(), into.size(), 0); });
    if (got == 0) return {Transfer::State::ended};
    if (got < 0 && errno == EAGAIN) watch_.read_blocked();
    return transfer(got);
  }

  Transfer try_write(std::span<const Bytes> pieces, bool more) override {
    if (closed_) return {Transfer::State::failed};
    std::array<iovec, pieces_max> vectors;
    const size_t count = std::min(pieces.size(), vectors.size());
    for (size_t i = 0; i < count; ++i) vectors[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const int flags = MSG_NOSIGNAL | (more || count < pieces.size() ? MSG_MORE : 0);
    const ssize_t sent = uninterrupted([&] { return ::sendmsg(socket_.number, &message, flags); });
    if (sent < 0 && errno == EAGAIN) watch_.write_blocked();
    return transfer(sent);
  }

  Transfer try_send_file(const FileSource& file, uint64_t position, size_t length) override {
    if (closed_) return {Transfer::State::failed};
    auto offset = static_cast<off_t>(position);
    const ssize_t sent = uninterrupted([&] { return ::sendfile(socket_.number, file.descriptor(), &offset, length); });
    if (sent == 0) {
      failure_ = Error(own_code::data, "the file ends before the part that was to be sent to " + peer_);
      return {Transfer::State::failed};
    }
    if (sent < 0 && errno == EAGAIN) watch_.write_blocked();
    return transfer(sent);
  }

  // What comes later is another edge; only an end that came with the bytes is not.
  bool short_read_empties() const override { return !watch_.hung_up(); }
  awaitable<void> readable() override { return watch_.readable(); }
  awaitable<void> writable() override { return watch_.writable(); }

  void close() override {
    if (std::exchange(closed_, true)) return;
    ::shutdown(socket_.number, SHUT_RDWR);
    watch_.cancel();
  }

  bool closed() const override { return closed_; }
  const Error& failure() const override { return failure_; }
  const std::string& peer() const override { return peer_; }
  Loop& loop() override { return loop_; }

 private:
  Transfer transfer(ssize_t moved) {
    if (moved > 0) return {Transfer::State::moved, static_cast<size_t>(moved)};
    if (moved == 0 || errno == EAGAIN) return {Transfer::State::blocked};
    failure_ = Error(own_code::transport, system_error("connection to " + peer_, errno).message(), Verdict::retry);
    return {Transfer::State::failed};
  }

  Loop& loop_;
  Descriptor socket_;
  Watch watch_;
  std::string peer_;
  Error failure_;
  bool closed_ = false;
};

class TcpPendingStream final : public PendingStream {
 public:
  TcpPendingStream(Descriptor socket, std::string peer) : socket_(std::move(socket)), peer_(std::move(peer)) {}
  std::unique_ptr<Stream> on(Loop& loop) override { return std::make_unique<TcpStream>(loop, std::move(socket_), std::move(peer_)); }

 private:
  Descriptor socket_;
  std::string peer_;
};

class TcpListener final : public Listener {
 public:
  TcpListener(Loop& loop, Descriptor socket, SocketOptions options, uint16_t port)
      : socket_(std::move(socket)), watch_(loop, socket_.number), options_(options), port_(port) {}

  awaitable<Result<std::unique_ptr<PendingStream>>> accept() override {
    while (!closed_) {
      SocketAddress from;
      from.length = sizeof from.storage;
      const int accepted = ::accept4(socket_.number, reinterpret_cast<sockaddr*>(&from.storage), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (accepted >= 0) {
        apply(options_, accepted);
        co_return std::make_unique<TcpPendingStream>(Descriptor(accepted), from.text());
      }
      if (errno == EAGAIN) {
        watch_.read_blocked();
        co_await watch_.readable();
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The connection waits in the backlog until something is freed; the caller says so and decides when to try again.
        co_return system_error("cannot accept a connection", errno);
      }
      // Everything else was that one connection's own trouble.
    }
    co_return Error(own_code::closed, "the listener is closed");
  }

  uint16_t port() const override { return port_; }
  void close() override {
    closed_ = true;
    watch_.cancel();
  }

 private:
  Descriptor socket_;
  Watch watch_;
  SocketOptions options_;
  uint16_t port_;
  bool closed_ = false;
};

class TcpNetwork final : public Network, public Names {
 public:
  explicit TcpNetwork(SocketOptions options) : options_(options) {}

  Result<std::unique_ptr<Listener>> listen(Loop& loop, const Address& address) override {
    KQ_TRY_ASSIGN(const auto addresses, resolve_for_listening(address));
    const SocketAddress& first = addresses.front();
    Descriptor socket(::socket(first.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.number < 0) return system_error("cannot make a socket for " + address.text(), errno);
    const int on = 1;
    setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    apply(options_, socket.number);
    if (::bind(socket.number, first.get(), first.length) != 0 || ::listen(socket.number, options_.backlog) != 0)
      return system_error("cannot listen on " + address.text(), errno);
    SocketAddress bound;
    bound.length = sizeof bound.storage;
    getsockname(socket.number, reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
    const std::string text = bound.text();
    const auto port = static_cast<uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
    return std::unique_ptr<Listener>(std::make_unique<TcpListener>(loop, std::move(socket), options_, port));
  }

  awaitable<Result<std::unique_ptr<Stream>>> connect(Loop& loop, const Address& address, Instant deadline) override {
    auto addresses = co_await resolve(loop, address, deadline);
    if (!addresses) co_return std::move(addresses.error());
    Error last(own_code::resolve, "'" + address.host + "' has no address");
    for (const SocketAddress& each : *addresses) {
      auto stream = co_await connect_one(loop, each, deadline);
      if (stream) co_return stream;
      last = std::move(stream.error());
    }
    co_return last;
  }

  awaitable<Result<std::vector<Address>>> addresses_of(Loop& loop, const Address& address, Instant deadline) override {
    auto found = co_await resolve(loop, address, deadline);
    if (!found) co_return std::move(found.error());
    std::vector<Address> addresses;
    for (const SocketAddress& each : *found) addresses.push_back(each.address());
    co_return addresses;
  }

  awaitable<Result<std::vector<Address>>> canonical_names_of(Loop& loop, const Address& address, Instant deadline) override {
    co_return co_await canonical_names(loop, address, deadline);
  }

 private:
  awaitable<Result<std::unique_ptr<Stream>>> connect_one(Loop& loop, const SocketAddress& to, Instant deadline) {
    const auto refuse = [&](std::string_view why) {
      return Error(own_code::transport, "cannot connect to " + to.text() + ": " + std::string(why), Verdict::retry);
    };
    Descriptor socket(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.number < 0) co_return refuse(system_error("socket", errno).message());
    apply(options_, socket.number);
    if (::connect(socket.number, to.get(), to.length) != 0 && errno != EINPROGRESS) co_return refuse(std::generic_category().message(errno));
    const int number = socket.number;
    auto stream = std::make_unique<TcpStream>(loop, std::move(socket), to.text());
    Timer timer(loop, [&stream] { stream->close(); });
    timer.arm(deadline);
    for (;;) {
      if (stream->closed()) co_return refuse("no answer in time; is a broker listening there, and does a firewall let it through?");
      int failed = 0;
      socklen_t length = sizeof failed;
      getsockopt(number, SOL_SOCKET, SO_ERROR, &failed, &length);
      if (failed) co_return refuse(std::generic_category().message(failed));
      sockaddr_storage peer;
      socklen_t peer_length = sizeof peer;
      if (getpeername(number, reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0) co_return std::unique_ptr<Stream>(std::move(stream));
      co_await stream->writable();
    }
  }

  SocketOptions options_;
};

}  // namespace

std::unique_ptr<Network> tcp_network(SocketOptions options) { return std::make_unique<TcpNetwork>(options); }

}  // namespace kq
