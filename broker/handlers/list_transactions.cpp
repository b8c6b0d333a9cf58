// ListTransactions, key 66, v0-2 (KIP-664).  v1: by duration (KIP-994).  v2: by a pattern (KIP-1152).
#include <re2/re2.h>

#include <optional>
#include <set>

#include "broker/broker.hpp"
#include "broker/handlers/handlers.hpp"
#include "broker/txn/transactions.hpp"

namespace kq::broker {
namespace {

// A pattern in RE2's language, as Kafka's: it never takes more than linear time.
class Pattern {
 public:
  // False: not a pattern of that language.
  bool compile(std::string_view text) {
    if (text.empty()) return true;
    RE2::Options options;
    options.set_log_errors(false);
    regex_.emplace(re2::StringPiece(text.data(), text.size()), options);
    return regex_->ok();
  }
  bool matches(const std::string& id) const { return !regex_ || RE2::FullMatch(id, *regex_); }

 private:
  std::optional<RE2> regex_;  // none: everything
};

struct Filter {
  std::set<txn::State> states;
  std::set<int64_t> producer_ids;
  int64_t duration_ms = -1;
  int64_t now_ms = 0;

  bool takes(const txn::Transaction& transaction) const {
    if (transaction.state == txn::State::dead) return false;
    if (!producer_ids.empty() && !producer_ids.contains(transaction.producer_id)) return false;
    if (!states.empty() && !states.contains(transaction.state)) return false;
    return duration_ms < 0 || now_ms - transaction.start_ms > duration_ms;
  }
};

}  // namespace

awaitable<ListTransactionsResponse> handle(Broker& broker, Call& call, const ListTransactionsRequest& request) {
  ListTransactionsResponse response;
  Filter filter{.states = {},
                .producer_ids = {request.producer_id_filters.begin(), request.producer_id_filters.end()},
                .duration_ms = request.duration_filter,
                .now_ms = wall_clock_ms()};
  for (const std::string_view name : request.state_filters) {
    const auto state = txn::state_of(name);
    if (state)
      filter.states.insert(*state);
    else
      response.unknown_state_filters.push_back(name);
  }
  if (!request.state_filters.empty() && filter.states.empty()) co_return response;  // nothing is in a state that nobody knows
  Pattern pattern;
  if (request.transactional_id_pattern && !pattern.compile(*request.transactional_id_pattern)) {
    response.error_code = Code::invalid_regular_expression;
    co_return response;
  }
  const auto list = [&](const std::string& id, const txn::Transaction& transaction) {
    if (!filter.takes(transaction) || !pattern.matches(id)) return;
    auto& listed = response.transaction_states.emplace_back();
    listed.transactional_id = call.keep(id);
    listed.producer_id = transaction.producer_id;
    listed.transaction_state = txn::name_of(transaction.state);
  };
  response.error_code = co_await broker.transactions->visit(call.loop, list);
  if (response.error_code != Code::none) response.transaction_states.clear();
  co_return response;
}

}  // namespace kq::broker
