// A client's connection: frames in, answers out.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "broker/answer.hpp"
#include "broker/dispatch.hpp"
#include "broker/session.hpp"
#include "libkq/net/stream.hpp"
#include "libkq/protocol/frame.hpp"

namespace kq::broker {

struct Broker;
struct Worker;
class Admission;

// Bytes that many share.  Any thread.
class ByteBudget {
 public:
  explicit ByteBudget(int64_t bytes) : left_(bytes) {}
  bool take(size_t bytes) {                       // all of them, or none
    if (left_.fetch_sub(static_cast<int64_t>(bytes)) >= static_cast<int64_t>(bytes)) return true;
    give(bytes);
    return false;
  }
  void give(size_t bytes) { left_.fetch_add(static_cast<int64_t>(bytes)); }

 private:
  std::atomic<int64_t> left_;
};

// What one connection may take.
struct ConnectionLimits {
  size_t frame_bytes_max = 100 << 20;             // socket.request.max.bytes
  Duration idle_max = 10min;                      // connections.max.idle.ms
  size_t unanswered_max = 128;                    // requests; beyond it, and beyond
  size_t unanswered_bytes_max = 16 << 20;         // their bytes and their answers', nothing is read; one request may always be there
  Duration frame_grace = 30s;                     // a frame that has begun has to be whole after this, and
  size_t frame_bytes_per_second_min = 64 << 10;   // a second more for each of these of its size
  size_t turn_bytes_max = 1 << 20;                // served before other connections of the loop get their turn
  size_t large_frame_bytes = 2 << 20;             // frames above this share one budget with those of all connections: each is
  Duration large_frame_pause = 20ms;              // read when there is room for all of it, asked for this often
};

// Belongs to its loop's thread.  run() reads and serves requests until the connection ends.  Requests take effect in the order in which they
// came; their answers leave in that order, whichever is ready first.  While nothing is asked it holds no buffer.
class Connection : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
                   public std::enable_shared_from_this<Connection> {
 public:
  Connection(Broker&, Worker&, const ConnectionLimits&, ByteBudget& large_frames, std::unique_ptr<Stream>, Session,
             std::unique_ptr<Admission>);
  ~Connection();

  static awaitable<void> run(std::shared_ptr<Connection>);
  // Ends it: what waits is woken, nothing more is sent.  `reason` is logged (rate limited); empty: nothing worth a line.
  void close(std::string_view reason);

 private:
  struct Request;                                 // one that is not answered yet

  awaitable<void> read_and_serve();
  awaitable<bool> fill();                         // false: the connection has ended
  awaitable<void> wait_for_bytes();
  bool may_read_on();                             // false: the frame in front is large, and there is no room for it yet
  bool full() const;                              // as many requests as may be unanswered
  awaitable<void> room();
  awaitable<bool> serve(Bytes frame);             // false: the connection has ended
  awaitable<void> handle(Request&);
  static awaitable<void> handle_apart(std::shared_ptr<Connection>, Request&);
  void refuse_api_versions(Request&);             // of a version that kqd does not know
  void finish(Request&, Outcome);
  void flush();
  static awaitable<void> drain(std::shared_ptr<Connection>);
  Transfer::State send_ready();
  void sent(size_t bytes);
  void retire();
  void watch();                                   // fires when a deadline may have come
  void watch_until(Instant);

  Broker& broker_;
  Worker& worker_;
  const ConnectionLimits& limits_;
  ByteBudget& large_frames_;
  std::unique_ptr<Admission> admission_;          // given back last
  std::unique_ptr<Stream> stream_;
  Session session_;
  FrameBuffer input_;
  std::list<Request> requests_;                   // in the order in which they came
  size_t unanswered_bytes_ = 0;
  size_t turn_bytes_ = 0;
  bool drained_ = false;                          // the last read took all there was
  size_t granted_bytes_ = 0;                      // of large_frames_, for the frame that is being read
  Signal room_;                                   // an answer has left
  bool draining_ = false;                         // drain() waits until the peer takes more
  Instant active_;                                // when bytes last moved, either way
  std::optional<Instant> frame_due_;              // while a part of a frame is there
  Timer watchdog_;
};

using Connections = boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>>;

}  // namespace kq::broker
