#include "libkq/net/memory.hpp"

#include <algorithm>
#include <deque>

namespace kq {

// One direction: what was written, on its way to the reader.
struct MemoryPipe {
  struct Segment {
    Instant arrival;
    std::vector<std::byte> bytes;
    size_t read = 0;
  };

  explicit MemoryPipe(Loop& loop) : readable(loop.context()), writable(loop.context()), arrival(loop, [this] { readable.notify(); }) {}

  std::deque<Segment> segments;
  size_t bytes_held = 0;
  bool ended = false;                                   // the writer has closed its side
  Signal readable, writable;
  Timer arrival;
};

class MemoryConnection {
 public:
  MemoryConnection(MemoryNetwork& network, std::string name) : network(network), name(std::move(name)), pipes{MemoryPipe(network.loop_), MemoryPipe(network.loop_)} {
    network.connections_.insert(this);
  }
  ~MemoryConnection() { network.connections_.erase(this); }

  void cut(const char* why) {
    if (std::exchange(is_cut, true)) return;
    network.trace(std::string(why) + " " + name);
    for (MemoryPipe& pipe : pipes) {
      pipe.arrival.disarm();
      pipe.readable.notify();
      pipe.writable.notify();
    }
  }

  MemoryNetwork& network;
  std::string name;
  MemoryPipe pipes[2];
  bool is_cut = false;
  bool is_silent = false;
};

class MemoryStream final : public Stream {
 public:
  MemoryStream(std::shared_ptr<MemoryConnection> connection, int side, std::string peer)
      : connection_(std::move(connection)), in_(connection_->pipes[side]), out_(connection_->pipes[1 - side]), peer_(std::move(peer)),
        failure_(own_code::transport, "the connection to " + peer_ + " broke", Verdict::retry) {}
  ~MemoryStream() override { close(); }

  Transfer try_read(MutableBytes into) override {
    if (closed_ || connection_->is_cut) return {Transfer::State::failed};
    if (in_.segments.empty() && in_.ended) return {Transfer::State::ended};
    in_.readable.forget();
    if (in_.segments.empty()) return {Transfer::State::blocked};
    MemoryPipe::Segment& first = in_.segments.front();
    if (first.arrival > Clock::now()) {
      in_.arrival.arm(first.arrival);
      return {Transfer::State::blocked};
    }
    const size_t count = std::min(into.size(), first.bytes.size() - first.read);
    std::copy_n(first.bytes.begin() + static_cast<ptrdiff_t>(first.read), count, into.begin());
    first.read += count;
    in_.bytes_held -= count;
    if (first.read == first.bytes.size()) in_.segments.pop_front();
    in_.writable.notify();
    return {Transfer::State::moved, count};
  }

  Transfer try_write(std::span<const Bytes> pieces, bool) override {
    if (closed_ || connection_->is_cut) return {Transfer::State::failed};
    out_.writable.forget();
    MemoryNetwork& network = connection_->network;
    const size_t room = network.faults_.window_bytes - std::min(network.faults_.window_bytes, out_.bytes_held);
    if (room == 0) return {Transfer::State::blocked};
    MemoryPipe::Segment segment;
    for (const Bytes piece : pieces) {
      const size_t count = std::min(piece.size(), room - segment.bytes.size());
      segment.bytes.insert(segment.bytes.end(), piece.begin(), piece.begin() + static_cast<ptrdiff_t>(count));
    }
    const size_t moved = segment.bytes.size();
    if (moved == 0) return {Transfer::State::blocked};
    if (connection_->is_silent) return {Transfer::State::moved, moved};
    const Instant earliest = out_.segments.empty() ? Instant{} : out_.segments.back().arrival;
    segment.arrival = std::max(earliest, Clock::now() + network.delay());
    out_.bytes_held += moved;
    out_.segments.push_back(std::move(segment));
    out_.arrival.arm(out_.segments.front().arrival);
    network.trace(peer_ + " < " + std::to_string(moved) + " bytes");
    cut_perhaps(network);
    silence_perhaps(network);
    return {Transfer::State::moved, moved};
  }

  Transfer try_send_file(const FileSource& file, uint64_t position, size_t length) override {
    std::vector<std::byte> bytes(std::min<size_t>(length, 64 << 10));
    const auto got = file.read_at(position, bytes);
    if (!got || *got == 0) {
      failure_ = got ? Error(own_code::data, "the file ends before the part that was to be sent") : got.error();
      return {Transfer::State::failed};
    }
    const Bytes piece(bytes.data(), *got);
    return try_write({&piece, 1}, false);
  }

  awaitable<void> readable() override { return in_.readable.wait(); }
  awaitable<void> writable() override { return out_.writable.wait(); }

  void close() override {
    if (std::exchange(closed_, true)) return;
    out_.ended = true;
    if (out_.segments.empty()) out_.readable.notify();
    in_.readable.notify();
    in_.writable.notify();                              // a peer that waits to write into this side finds it gone
    out_.writable.notify();
    in_.segments.clear();
    in_.bytes_held = 0;
    in_.arrival.disarm();
  }

  bool closed() const override { return closed_; }
  const Error& failure() const override { return failure_; }
  const std::string& peer() const override { return peer_; }
  Loop& loop() override { return connection_->network.loop_; }

 private:
  void cut_perhaps(MemoryNetwork& network) {
    if (network.faults_.cut_one_in == 0 || !network.random_.one_in(network.faults_.cut_one_in)) return;
    connection_->cut("cut");
  }
  // As where a firewall has forgotten a connection.  What is under way still arrives.
  void silence_perhaps(MemoryNetwork& network) {
    if (network.faults_.silence_one_in == 0 || !network.random_.one_in(network.faults_.silence_one_in)) return;
    connection_->is_silent = true;
    network.trace("silence " + connection_->name);
  }

  std::shared_ptr<MemoryConnection> connection_;
  MemoryPipe& in_;
  MemoryPipe& out_;
  std::string peer_;
  Error failure_;
  bool closed_ = false;
};

namespace {
class MemoryPendingStream final : public PendingStream {
 public:
  explicit MemoryPendingStream(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  std::unique_ptr<Stream> on(Loop&) override { return std::move(stream_); }

 private:
  std::unique_ptr<Stream> stream_;
};
}  // namespace

class MemoryListener final : public Listener {
 public:
  MemoryListener(MemoryNetwork& network, uint16_t port) : network_(network), port_(port), arrived_(network.loop_.context()) {
    network_.listeners_[port] = this;
  }
  ~MemoryListener() override { close(); }

  awaitable<Result<std::unique_ptr<PendingStream>>> accept() override {
    while (!closed_ && backlog_.empty()) co_await arrived_.wait();
    if (closed_) co_return Error(own_code::closed, "the listener is closed");
    std::unique_ptr<PendingStream> first = std::make_unique<MemoryPendingStream>(std::move(backlog_.front()));
    backlog_.pop_front();
    co_return first;
  }
  void arrive(std::unique_ptr<Stream> stream) {
    backlog_.push_back(std::move(stream));
    arrived_.notify();
  }
  uint16_t port() const override { return port_; }
  void close() override {
    if (std::exchange(closed_, true)) return;
    network_.listeners_.erase(port_);
    backlog_.clear();
    arrived_.notify();
  }

 private:
  MemoryNetwork& network_;
  uint16_t port_;
  Signal arrived_;
  std::deque<std::unique_ptr<Stream>> backlog_;
  bool closed_ = false;
};

Duration MemoryNetwork::delay() {
  const auto spread = static_cast<uint64_t>((faults_.delay_max - faults_.delay_min).count());
  return faults_.delay_min + Duration(static_cast<int64_t>(random_.below(spread + 1)));
}

void MemoryNetwork::trace(const std::string& event) {
  if (trace_) trace_(event);
}

void MemoryNetwork::cut_all() {
  const std::set<MemoryConnection*> all = connections_;
  // In the order of their names, not of their addresses: the same seed gives the same run.
  std::vector<MemoryConnection*> ordered(all.begin(), all.end());
  std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (MemoryConnection* connection : ordered) connection->cut("cut");
}

Result<std::unique_ptr<Listener>> MemoryNetwork::listen(Loop&, const Address& address) {
  const uint16_t port = address.port ? address.port : next_port_++;
  if (listeners_.count(port)) return Error(own_code::system, "cannot listen on " + address.text() + ": Address already in use");
  return std::unique_ptr<Listener>(std::make_unique<MemoryListener>(*this, port));
}

awaitable<Result<std::unique_ptr<Stream>>> MemoryNetwork::connect(Loop& loop, const Address& address, Instant deadline) {
  co_await loop.sleep_until(std::min(deadline, Clock::now() + delay()));
  const auto refused = [&] {
    trace("refuse " + address.text());
    return Error(own_code::transport, "cannot connect to " + address.text() + ": Connection refused", Verdict::retry);
  };
  const auto listener = listeners_.find(address.port);
  if (listener == listeners_.end()) co_return refused();
  if (faults_.refuse_one_in && random_.one_in(faults_.refuse_one_in)) co_return refused();
  const std::string from = "client:" + std::to_string(next_port_++);
  const auto connection = std::make_shared<MemoryConnection>(*this, from + ">" + address.text());
  trace("connect " + connection->name);
  listener->second->arrive(std::make_unique<MemoryStream>(connection, 0, from));
  std::unique_ptr<Stream> mine = std::make_unique<MemoryStream>(connection, 1, address.text());
  co_return mine;
}

}  // namespace kq
