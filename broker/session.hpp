// Who is at the other end of a connection, and one request of theirs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/log/file.hpp"
#include "libkq/net/loop.hpp"

namespace kq::cluster {
struct Image;
}

namespace kq::broker {

// A connection's identity.  One a connection, on its loop's thread.
struct Session {
  uint64_t id = 0;                                // of this connection, never used again while the broker runs
  std::string listener;                           // its name: "PLAINTEXT"
  std::string peer;                               // "127.0.0.1:41234"
  std::string principal_type = "User";
  std::string principal_name = "ANONYMOUS";
  std::string client_software_name = "unknown";   // from ApiVersions 3 and later
  std::string client_software_version = "unknown";
  std::vector<std::function<void()>> closing;     // each is called once, on the loop, when the connection has ended
};

// Bytes of a file that belong into an answer.  Holding `file` pins the segment, removed or not.
struct FileSlice {
  std::shared_ptr<const log::File> file;
  uint64_t position = 0;
  uint32_t size = 0;
};

struct Worker;

// One request, from its frame to the last byte of its answer.  Views in the request point into the frame; views in the response
// may point into the request, into `image` or into whatever keep() was given: all of it lives until the answer has left.
// Belongs to the connection's loop.
struct Call {
  Call(Session& session, Worker& worker, Loop& loop, std::shared_ptr<const cluster::Image> image, int16_t version)
      : session(session), worker(worker), loop(loop), image(std::move(image)), version(version) {}

  Session& session;
  Worker& worker;
  Loop& loop;                                     // the worker's
  std::shared_ptr<const cluster::Image> image;    // the metadata as it was when the request began
  int16_t version;                                // of the request and its answer
  int32_t correlation_id = 0;
  std::string_view client_id;                     // the empty one where none was sent
  std::vector<FileSlice> slices;                  // Records::external_id counts in here
  bool answer = true;                             // false: nothing is sent (Produce with acks=0)
  bool close_after = false;                       // the connection ends behind this answer, or instead of it; `close_reason` is logged
  std::string close_reason;
  Signal* awaited = nullptr;                      // what the handler waits on for long: notified when the connection closes,
  bool cancelled = false;                         // and then nobody will read the answer

  // Keeps `owner` alive until the answer has left.
  template <class T>
  const T& keep(std::shared_ptr<T> owner) {
    const T& held = *owner;
    kept_.push_back(std::move(owner));
    return held;
  }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  MutableBytes keep(Buffer buffer) {
    kept_bytes_ += buffer.capacity();
    return buffers_.emplace_back(std::move(buffer)).bytes();
  }
  size_t kept_bytes() const { return kept_bytes_; }               // in buffers

  // The request has had its effect: the connection's next request may begin while this one still awaits its answer.  Only an api
  // that `overlaps` (dispatch.hpp) may call it; for all others the next request begins after the answer is ready.
  void took_effect() {
    if (effect) std::exchange(effect, nullptr)->notify();
  }
  Signal* effect = nullptr;

 private:
  std::vector<std::shared_ptr<const void>> kept_;
  std::deque<std::string> texts_;                 // a deque never moves what it holds
  std::vector<Buffer> buffers_;
  size_t kept_bytes_ = 0;
};

}  // namespace kq::broker
