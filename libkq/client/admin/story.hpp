// What the stories of several operations have in common.
#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "libkq/client/admin/operation.hpp"

namespace kq::client::admin {

using Rows = std::unique_ptr<kq_rows>;

inline Rows make_rows(const Operation& operation) { return std::make_unique<kq_rows>(operation.name, operation.columns); }

// A broker's no to one item: its code, its meaning, and what the broker itself has said.
inline Error no_to(std::string_view item, Code code, std::optional<std::string_view> said = {}) {
  std::string text(item);
  text += text.empty() ? "" : ": ";
  text += std::string(name_of(code)) + ", " + meaning_of(code);
  if (said && !said->empty()) text += " (" + std::string(*said) + ")";
  return {static_cast<int32_t>(code), std::move(text), remedy_of(code) == Remedy::none ? Verdict::refused : Verdict::retry};
}

// What a broker may take, of the time that the caller gives.
inline int32_t ms_until(Instant deadline) {
  return static_cast<int32_t>(std::clamp<int64_t>(to_ms(deadline - Clock::now()), 1, std::numeric_limits<int32_t>::max()));
}

// "1,2,3"; an error names what is no broker id.
Result<std::vector<int32_t>> read_brokers(std::string_view list);

// The ids of all brokers, as they are now.
awaitable<Result<std::vector<int32_t>>> all_brokers(std::shared_ptr<Cluster>, Instant deadline);

// A broker's answer that leaves an item out.
inline Error unmentioned(std::string_view item) {
  return {own_code::protocol, std::string(item) + ": the broker's answer does not mention it"};
}

// The error codes of an answer's items, for ask_controller.
std::vector<Code> codes_of(const auto& answers) {
  std::vector<Code> codes;
  for (const auto& answer : answers) codes.push_back(answer.error_code);
  return codes;
}

// A request that the controller has to carry out: sent again while there is none, as the items' error codes tell, until the deadline.
// `codes` gives the error codes of an answer's items.
template <class Message, class Codes>
awaitable<Result<Reply<typename Message::Response>>> ask_controller(std::shared_ptr<Cluster> cluster, const Message& message,
                                                                    Instant deadline, Codes codes) {
  for (;;) {
    auto reply = co_await cluster->request(controller_node, message, deadline);
    if (!reply) co_return reply;
    const std::vector<Code> all = codes(reply->message);
    if (std::ranges::find(all, Code::not_controller) == all.end()) co_return reply;
    Status refreshed = co_await cluster->refreshed(deadline);           // comes no more often than retry.backoff.ms
    if (!refreshed) co_return reply;
  }
}

}  // namespace kq::client::admin
