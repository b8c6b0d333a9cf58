#include "libkq/rpc/connection.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace kq {
namespace {

constexpr size_t pieces_max = 64;                          // gathered into one write
constexpr size_t scratch_bytes = 32 << 10;                 // read at once while no long answer is under way
constexpr int reads_in_a_turn_max = 32;                    // then other coroutines of the loop have theirs
constexpr size_t spare_max = 8;

}  // namespace

// ---- versions ---------------------------------------------------------------------------------------------------------------

void ApiRanges::learn(const ApiVersionsResponse& response) {
  ranges_ = {};
  for (const auto& api : response.api_keys)
    if (known(api.api_key)) ranges_[api.api_key] = {api.min_version, api.max_version};
  transaction_version_ = 0;
  for (const auto& feature : response.finalized_features)
    if (feature.name == "transaction.version") transaction_version_ = feature.max_version_level;
}

Result<int16_t> ApiRanges::choose(int16_t key, const char* name, int16_t oldest, int16_t newest) const {
  const Range theirs = known(key) ? ranges_[key] : Range{};
  const int16_t version = std::min(newest, theirs.newest);
  if (version >= std::max(oldest, theirs.oldest)) return version;
  if (theirs.newest < 0) return Error{own_code::unsupported, std::string("the broker does not have the request ") + name};
  return Error{own_code::unsupported, std::string("the broker speaks ") + name + " " + std::to_string(theirs.oldest) + " to " +
                                          std::to_string(theirs.newest) + ", this kq " + std::to_string(oldest) + " to " +
                                          std::to_string(newest)};
}

// ---- frames -----------------------------------------------------------------------------------------------------------------

// Cuts what is read into frames.  Short ones are copied out of a borrowed scratch buffer; the bytes of a long one are read
// to where they stay.  Memory is asked for by the length that is promised, within the limit, but touched only as bytes arrive.
class Connection::FrameReader {
 public:
  FrameReader(BufferPool& buffers, FramePool& frames, size_t frame_bytes_max)
      : buffers_(buffers), frames_(frames), frame_bytes_max_(frame_bytes_max) {}

  MutableBytes space() {
    if (long_) return long_.space().subspan(long_filled_, long_.bytes().size() - long_filled_);
    if (!scratch_) scratch_ = buffers_.borrow(scratch_bytes);
    return scratch_.bytes().subspan(end_);
  }

  void filled(size_t bytes) { (long_ ? long_filled_ : end_) += bytes; }

  Result<std::optional<Frame>> next() {
    if (long_) {
      if (long_filled_ < long_.bytes().size()) return std::optional<Frame>{};
      return std::optional{std::exchange(long_, {})};
    }
    const size_t held = end_ - begin_;
    if (held < frame_size_bytes) return keep_beginning(held);
    const auto size = load_be<int32_t>(scratch_.data() + begin_);
    if (size <= 0 || static_cast<size_t>(size) > frame_bytes_max_) return absurd(size);
    Frame frame = frames_.borrow(static_cast<size_t>(size));
    frame.resize(static_cast<size_t>(size));
    const size_t here = std::min(held - frame_size_bytes, frame.bytes().size());
    std::memcpy(frame.space().data(), scratch_.data() + begin_ + frame_size_bytes, here);
    begin_ += frame_size_bytes + here;
    if (here == frame.bytes().size()) return std::optional{std::move(frame)};
    begin_ = end_ = 0;
    long_ = std::move(frame);
    long_filled_ = here;
    return std::optional<Frame>{};
  }

  // Nothing is to be read for now.
  void rest() {
    if (begin_ == end_) scratch_ = {}, begin_ = end_ = 0;
  }

 private:
  std::optional<Frame> keep_beginning(size_t held) {
    if (held) std::memmove(scratch_.data(), scratch_.data() + begin_, held);
    begin_ = 0, end_ = held;
    return std::nullopt;
  }
  Error absurd(int32_t size) const {
    return {own_code::protocol, "an answer of " + std::to_string(size) + " bytes, where at most " + std::to_string(frame_bytes_max_) +
                                    " are allowed: no Kafka broker, or one that wants TLS"};
  }

  BufferPool& buffers_;
  FramePool& frames_;
  const size_t frame_bytes_max_;
  Buffer scratch_;
  size_t begin_ = 0, end_ = 0;
  Frame long_;
  size_t long_filled_ = 0;
};

// ---- life -------------------------------------------------------------------------------------------------------------------

Connection::Connection(Loop& loop, std::unique_ptr<Stream> stream, Address address, ConnectionOptions options, FramePool frames)
    : loop_(loop), stream_(std::move(stream)), address_(std::move(address)), options_(std::move(options)),
      frames_(std::move(frames)), deadline_(loop, [this] { look_at_deadlines(); }) {}

Connection::~Connection() = default;

awaitable<Result<std::shared_ptr<Connection>>> Connection::open(Loop& loop, Network& network, Address address,
                                                                ConnectionOptions options, FramePool frames, Instant deadline,
                                                                std::optional<Address> at) {
  const Address to = at ? std::move(*at) : address;
  auto stream = co_await network.connect(loop, to, deadline);
  if (!stream) co_return std::move(stream.error());
  std::shared_ptr<Connection> connection(
      new Connection(loop, std::move(*stream), std::move(address), std::move(options), std::move(frames)));
  loop.spawn(read_answers(connection));
  const Status agreed = co_await connection->agree_on_versions(deadline);
  if (!agreed) {
    Error error = Error(agreed.error()).in("talking to " + connection->address().text());
    connection->close(error);
    co_return error;
  }
  if (connection->failure_) co_return *connection->failure_;   // it said which versions it speaks, and hung up
  co_return connection;
}

// A broker that does not know our newest ApiVersions answers in the oldest form, with the versions that it does know (KIP-511).
awaitable<Status> Connection::agree_on_versions(Instant deadline) {
  ApiVersionsRequest request;
  request.client_software_name = options_.software_name;
  request.client_software_version = options_.software_version;
  int16_t version = ApiVersionsRequest::stable;
  for (;;) {
    Exchange<ApiVersionsResponse> exchange(loop_.context());
    Done done = [&exchange](Result<Answer> answer) {
      exchange.answer = std::move(answer);
      exchange.arrived.notify();
    };
    Status sent = send_version(request, version, deadline, std::move(done));
    if (!sent) co_return sent;
    co_await exchange.arrived.wait();
    if (!*exchange.answer) co_return std::move(exchange.answer->error());
    Answer& answer = **exchange.answer;
    const bool too_new = answer.body.size() >= 2 && load_be<int16_t>(answer.body.data()) == static_cast<int16_t>(Code::unsupported_version);
    const auto message = decode<ApiVersionsResponse>(answer.body, too_new ? int16_t{0} : version);
    if (!message) co_return Error{own_code::protocol, "the answer to api_versions cannot be read: no Kafka broker?"};
    if (!too_new) {
      if (message->error_code != Code::none)
        co_return Error{static_cast<int32_t>(message->error_code), std::string("api_versions: ") + name_of(message->error_code)};
      apis_.learn(*message);
      co_return Status{};
    }
    int16_t theirs = 0;
    for (const auto& api : message->api_keys)
      if (api.api_key == ApiVersionsRequest::key) theirs = api.max_version;
    if (theirs >= version) co_return Error{own_code::protocol, "the broker refuses every version of api_versions"};
    version = theirs;
  }
}

void Connection::close(Error reason) {
  if (failure_) return;
  failure_ = std::move(reason);
  deadline_.disarm();
  stream_->close();                                        // wakes the reading coroutine, which ends everything
}

// Runs on the reading coroutine alone, as its last act.
void Connection::end() {
  auto pending = std::exchange(pending_, {});
  auto outgoing = std::exchange(outgoing_, {});
  for (Pending& each : pending) each.done(*failure_);
  for (Outgoing& each : outgoing)
    if (each.written) each.written(*failure_);
  if (const auto tell = std::exchange(on_end_, nullptr)) tell(*failure_);
}

// ---- writing ----------------------------------------------------------------------------------------------------------------

Status Connection::may_send() const {
  if (failure_) return *failure_;
  if (pending_.size() < options_.in_flight_max) return {};
  return Error{own_code::no_room, "too many requests to " + address_.text() + " are unanswered", Verdict::retry};
}

Encoded Connection::take_encoded() {
  if (spare_.empty()) return {};
  Encoded encoded = std::move(spare_.back());
  spare_.pop_back();
  return encoded;
}

void Connection::queue(Encoded encoded, Pending pending, Expect expect) {
  watch_deadline(pending.deadline);
  Outgoing& outgoing = outgoing_.emplace_back(Outgoing{std::move(encoded), pending.deadline, nullptr});
  if (expect == Expect::nothing) outgoing.written = std::move(pending.done);
  else pending_.push_back(std::move(pending));
  if (!writer_waits_ && !held_) flush();
}

void Connection::flush() {
  while (!outgoing_.empty() && !failure_) {
    std::array<Bytes, pieces_max> pieces;
    const size_t count = gather(pieces);
    const Transfer transfer = stream_->try_write({pieces.data(), count});
    if (transfer.state == Transfer::State::failed) return close(stream_->failure());
    if (transfer.blocked()) {
      if (!std::exchange(writer_waits_, true)) loop_.spawn(write_rest(shared_from_this()));
      return;
    }
    written(transfer.bytes);
  }
}

// What is to be written next, as far as the pieces go: bytes and records in turn.
size_t Connection::gather(std::span<Bytes> pieces) const {
  size_t count = 0, skip = written_of_front_;
  const auto add = [&](Bytes piece) {
    const size_t skipped = std::min(skip, piece.size());
    skip -= skipped;
    if (skipped < piece.size()) pieces[count++] = piece.subspan(skipped);
  };
  for (const Outgoing& each : outgoing_) {
    const Bytes bytes = each.encoded.bytes;
    size_t at = 0;
    for (const Splice& splice : each.encoded.splices) {
      if (count + 3 > pieces.size()) return count;
      add(bytes.subspan(at, splice.at - at));
      add(splice.bytes);
      at = splice.at;
    }
    if (count + 3 > pieces.size()) return count;
    add(bytes.subspan(at));
  }
  return count;
}

void Connection::written(size_t bytes) {
  written_of_front_ += bytes;
  while (!outgoing_.empty() && written_of_front_ >= outgoing_.front().encoded.size()) {
    written_of_front_ -= outgoing_.front().encoded.size();
    retire_front();
  }
}

void Connection::retire_front() {
  Outgoing front = std::move(outgoing_.front());
  outgoing_.pop_front();
  if (front.written) loop_.post([done = std::move(front.written)] { done(Answer{}); });
  if (spare_.size() >= spare_max) return;
  front.encoded.clear();
  spare_.push_back(std::move(front.encoded));
}

awaitable<void> Connection::write_rest(std::shared_ptr<Connection> self) {
  co_await self->stream_->writable();
  self->writer_waits_ = false;
  self->flush();
}

// ---- reading ----------------------------------------------------------------------------------------------------------------

awaitable<void> Connection::read_answers(std::shared_ptr<Connection> self) {
  FrameReader reader(self->loop_.buffers(), self->frames_, self->options_.frame_bytes_max);
  for (int reads = 1; !self->failure_; ++reads) {
    const Transfer transfer = self->stream_->try_read(reader.space());
    if (transfer.blocked()) {
      reader.rest();
      reads = 0;
      co_await self->stream_->readable();
      continue;
    }
    if (Status read = self->read_some(reader, transfer); !read) self->close(std::move(read.error()));
    if (reads % reads_in_a_turn_max != 0) continue;
    constexpr UseAwaitable awaited;
    co_await asio::post(self->loop_.context(), awaited);
  }
  self->end();
}

Status Connection::read_some(FrameReader& reader, Transfer transfer) {
  if (transfer.state == Transfer::State::failed) return stream_->failure();
  if (transfer.state == Transfer::State::ended)
    return Error{own_code::transport, address_.text() + " closed the connection", Verdict::retry};
  reader.filled(transfer.bytes);
  for (;;) {
    KQ_TRY_ASSIGN(std::optional<Frame> frame, reader.next());
    if (!frame) return {};
    KQ_TRY(receive(std::move(*frame)));
    if (failure_) return *failure_;
  }
}

size_t Connection::unwritten_with_answer() const {
  return static_cast<size_t>(std::count_if(outgoing_.begin(), outgoing_.end(), [](const Outgoing& each) { return !each.written; }));
}

Status Connection::receive(Frame frame) {
  const auto confused = [&](std::string_view what) {
    return Error{own_code::protocol, address_.text() + " sent " + std::string(what), Verdict::retry};
  };
  if (pending_.empty()) return confused("an answer to nothing");
  if (!outgoing_.empty() && pending_.size() <= unwritten_with_answer())
    return confused("an answer to a request that it has not got yet");
  const auto response = read_response(frame.bytes(), pending_.front().header_version);
  if (!response || response->correlation_id != pending_.front().correlation)
    return confused(std::string("an answer that is not to ") + pending_.front().api);
  Pending front = std::move(pending_.front());
  pending_.pop_front();
  front.done(Answer{std::move(frame), response->body, front.version});
  return {};
}

// ---- deadlines --------------------------------------------------------------------------------------------------------------

// One timer, armed for the earliest; when it fires too early, because that one was answered, it is armed anew.
void Connection::watch_deadline(Instant deadline) {
  if (!deadline_.armed() || deadline < deadline_.deadline()) deadline_.arm(deadline);
}

void Connection::look_at_deadlines() {
  const Instant now = Clock::now();
  Instant next = Instant::max();
  const char* late = nullptr;
  const auto look = [&](Instant deadline, const char* api) {
    if (deadline <= now && !late) late = api;
    next = std::min(next, deadline);
  };
  for (const Pending& each : pending_) look(each.deadline, each.api);
  for (const Outgoing& each : outgoing_) look(each.deadline, "produce");
  if (late)
    return close(Error(own_code::timed_out, address_.text() + " did not answer " + late + " in time", Verdict::retry));
  if (next != Instant::max()) deadline_.arm(next);
}

}  // namespace kq
