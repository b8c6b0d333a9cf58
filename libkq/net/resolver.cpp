#include "libkq/net/resolver.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <thread>

namespace kq {
namespace {

using Addresses = Result<std::vector<SocketAddress>>;

Addresses look_up(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  if (const int failed = getaddrinfo(host, port.c_str(), &hints, &found))
    return Error(own_code::resolve,
                 "cannot find the address of '" + address.host + "': " + gai_strerror(failed) + "; check the name and the resolver",
                 Verdict::retry);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each; each = each->ai_next) {
    SocketAddress& one = addresses.emplace_back();
    std::memcpy(&one.storage, each->ai_addr, each->ai_addrlen);
    one.length = each->ai_addrlen;
  }
  freeaddrinfo(found);
  return addresses;
}

// What getnameinfo makes of each; the same twice is once.
Result<std::vector<Address>> look_up_names(const Address& address) {
  KQ_TRY_ASSIGN(const auto found, look_up(address, AI_ADDRCONFIG));
  std::vector<Address> names;
  for (const SocketAddress& each : found) {
    char host[NI_MAXHOST];
    const bool named = getnameinfo(each.get(), each.length, host, sizeof host, nullptr, 0, NI_NAMEREQD) == 0;
    Address name{named ? std::string(host) : each.address().host, address.port};
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

// Shared by the waiting coroutine and the look-up's thread; whichever goes last frees it.
template <class Answer>
struct LookUp {
  std::mutex mutex;
  Loop* loop;                                               // null once nobody waits
  Signal* answered;
  std::optional<Answer> answer;
};

// Tells the look-up's thread, however the waiting coroutine ends, that nobody waits any more.
template <class Answer>
struct Waiting {
  explicit Waiting(std::shared_ptr<LookUp<Answer>> look_up) : look_up(std::move(look_up)) {}
  ~Waiting() {
    const std::lock_guard lock(look_up->mutex);
    look_up->loop = nullptr;
    look_up->answered = nullptr;
  }
  std::shared_ptr<LookUp<Answer>> look_up;
};

template <class Answer>
void look_up_on_thread(std::shared_ptr<LookUp<Answer>> state, Answer (*what)(const Address&), Address address) {
  Answer answer = what(address);
  const std::lock_guard lock(state->mutex);
  state->answer = std::move(answer);
  if (state->loop)
    state->loop->post([state] {
      const std::lock_guard again(state->mutex);
      if (state->answered) state->answered->notify();
    });
}

template <class Answer>
awaitable<Answer> look_up_aside(Loop& loop, Answer (*what)(const Address&), Address address, Instant deadline) {
  Signal answered(loop.context());
  const auto state = std::make_shared<LookUp<Answer>>();
  state->loop = &loop;
  state->answered = &answered;
  const Waiting<Answer> waiting(state);
  std::thread(look_up_on_thread<Answer>, state, what, address).detach();
  const bool in_time = co_await loop.wait_until(answered, deadline);
  if (!in_time) co_return Error(own_code::resolve, "the resolver did not answer for '" + address.host + "' in time", Verdict::retry);
  const std::lock_guard lock(state->mutex);
  co_return std::move(*state->answer);
}

Addresses look_up_addresses(const Address& address) { return look_up(address, AI_ADDRCONFIG); }

}  // namespace

Address SocketAddress::address() const {
  char host[INET6_ADDRSTRLEN] = "?";
  uint16_t port = 0;
  if (family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
    port = ntohs(v4->sin_port);
  } else if (family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
    port = ntohs(v6->sin6_port);
  }
  return Address{host, port};
}

Result<std::vector<SocketAddress>> resolve_numeric(const Address& address) { return look_up(address, AI_NUMERICHOST); }

Result<std::vector<SocketAddress>> resolve_for_listening(const Address& address) { return look_up(address, AI_PASSIVE); }

awaitable<Result<std::vector<SocketAddress>>> resolve(Loop& loop, const Address& address, Instant deadline) {
  if (auto numeric = resolve_numeric(address)) co_return numeric;
  co_return co_await look_up_aside(loop, look_up_addresses, address, deadline);
}

awaitable<Result<std::vector<Address>>> canonical_names(Loop& loop, const Address& address, Instant deadline) {
  co_return co_await look_up_aside(loop, look_up_names, address, deadline);
}

}  // namespace kq
