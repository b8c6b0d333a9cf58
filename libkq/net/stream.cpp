#include "libkq/net/stream.hpp"

#include <charconv>

namespace kq {
namespace {

// The pieces after the first `moved` bytes of them.
std::span<Bytes> skip(std::span<Bytes> pieces, size_t moved) {
  while (!pieces.empty() && moved >= pieces.front().size()) {
    moved -= pieces.front().size();
    pieces = pieces.subspan(1);
  }
  if (moved) pieces.front() = pieces.front().subspan(moved);
  return pieces;
}

Error closed_by_peer(const Stream& stream) {
  return {own_code::transport, stream.peer() + " closed the connection", Verdict::retry};
}

}  // namespace

awaitable<Result<size_t>> Stream::read_some(MutableBytes into) {
  for (;;) {
    const Transfer transfer = try_read(into);
    if (transfer.moved()) co_return transfer.bytes;
    if (transfer.state == Transfer::State::ended) co_return size_t{0};
    if (transfer.state == Transfer::State::failed) co_return failure();
    co_await readable();
  }
}

awaitable<Status> Stream::read_exactly(MutableBytes into) {
  while (!into.empty()) {
    auto got = co_await read_some(into);
    if (!got) co_return std::move(got.error());
    if (*got == 0) co_return closed_by_peer(*this);
    into = into.subspan(*got);
  }
  co_return Status{};
}

awaitable<Status> Stream::write_all(Bytes bytes) {
  co_return co_await write_all(std::span{&bytes, 1});
}

awaitable<Status> Stream::write_all(std::span<Bytes> pieces) {
  pieces = skip(pieces, 0);
  while (!pieces.empty()) {
    const Transfer transfer = try_write(pieces);
    if (transfer.state == Transfer::State::failed) co_return failure();
    if (transfer.blocked()) {
      co_await writable();
      continue;
    }
    pieces = skip(pieces, transfer.bytes);
  }
  co_return Status{};
}

awaitable<Status> Stream::send_file(const FileSource& file, uint64_t position, size_t length) {
  while (length > 0) {
    const Transfer transfer = try_send_file(file, position, length);
    if (transfer.state == Transfer::State::failed) co_return failure();
    if (transfer.blocked()) {
      co_await writable();
      continue;
    }
    position += transfer.bytes;
    length -= transfer.bytes;
  }
  co_return Status{};
}

std::string Address::text() const {
  const bool bracketed = host.find(':') != host.npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> Address::parse(std::string_view text) {
  const auto refuse = [&] {
    return Error(own_code::argument, "'" + std::string(text) + "' is not HOST:PORT (an IPv6 address goes in brackets: [::1]:9092)");
  };
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  else if (host.find(':') != host.npos) return refuse();
  uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc{} || end != digits.data() + digits.size()) return refuse();
  return Address{std::string(host), port};
}

}  // namespace kq
