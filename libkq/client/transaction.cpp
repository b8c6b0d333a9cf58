#include "libkq/client/transaction.hpp"

#include <algorithm>

namespace kq::client {
namespace {

Error error_of(Code code, Verdict verdict, std::string_view what) {
  return {static_cast<int32_t>(code), std::string(what) + ": " + name_of(code) + ", " + meaning_of(code), verdict};
}

Error to_be_aborted(const Error& cause) {
  return {cause.code(), "the transaction has to be aborted: " + cause.message(), Verdict::abort};
}

bool fenced(Code code) { return code == Code::producer_fenced || code == Code::invalid_producer_epoch; }

}  // namespace

std::span<const Transaction::Action> Transaction::step(Instant now, const Event& event) {
  now_ = now;
  actions_.clear();
  std::visit([this](const auto& each) { on(each); }, event);
  go_on();
  return actions_;
}

std::optional<Instant> Transaction::deadline() const {
  if (asked_ != Request::nothing || not_before_ == Instant{}) return std::nullopt;
  return not_before_;
}

// ---- the application --------------------------------------------------------------------------------------------------------

void Transaction::on(const Asked& event) {
  if (operation_ == event.what) return;                // its outcome is still to come
  const auto refuse = [&](std::string text) {
    actions_.push_back(Done{event.what, Error(static_cast<int32_t>(Code::invalid_txn_state), std::move(text))});
  };
  if (fatal_) return actions_.push_back(Done{event.what, *fatal_});
  if (operation_) return refuse("another call of this transaction has not ended: make that one again");
  const bool begins = event.what == Operation::begin;
  if (begins && stage_ == Stage::open) return refuse("a transaction is open already");
  if (!begins && stage_ != Stage::open) return refuse("no transaction is open");
  if (broken_ && event.what != Operation::abort) return actions_.push_back(Done{event.what, to_be_aborted(*broken_)});
  operation_ = event.what;
  if (begins && stage_ == Stage::idle) return open();
  if (event.what == Operation::send_offsets) offsets_ = event.offsets;
  if (event.what != Operation::commit && event.what != Operation::abort) return;
  commits_ = event.what == Operation::commit;
  stage_ = Stage::ending;
  settled_ = false;
  actions_.push_back(Settle{commits_});
}

void Transaction::open() {
  stage_ = Stage::open;
  used_version_ = version_;
  started_ = renew_ = forgotten_ = false;
  actions_.push_back(Open{version_2()});
  finish(std::nullopt);
}

void Transaction::finish(std::optional<Error> error) {
  actions_.push_back(Done{*operation_, std::move(error)});
  operation_.reset();
}

// ---- what to ask next -------------------------------------------------------------------------------------------------------

void Transaction::go_on() {
  if (asked_ != Request::nothing || fatal_ || now_ < not_before_) return;
  not_before_ = {};
  if (stage_ == Stage::none) {
    if (operation_ == Operation::begin) ask(Request::init_id, InitId{producer_id_, producer_epoch_});
    return;
  }
  if (!broken_ && !wanting_.empty()) {
    if (adding_.empty()) adding_ = std::exchange(wanting_, {});
    started_ = true;
    return ask(Request::add_partitions, AddPartitions{producer_id_, producer_epoch_, adding_});
  }
  if (!broken_ && offsets_) {
    started_ = true;
    if (version_2() || std::find(groups_.begin(), groups_.end(), offsets_->group_id) != groups_.end())
      return ask(Request::commit_offsets, CommitOffsets{producer_id_, producer_epoch_, offsets_, version_2()});
    return ask(Request::add_offsets, AddOffsets{producer_id_, producer_epoch_, offsets_->group_id});
  }
  if (broken_ && offsets_) {                           // a batch failed while they were on their way
    offsets_.reset();
    if (operation_ == Operation::send_offsets) finish(to_be_aborted(*broken_));
  }
  if (stage_ != Stage::ending || !settled_) return;
  if (broken_ && commits_) {
    stage_ = Stage::open;                              // nothing was decided: abort is what remains
    return finish(to_be_aborted(*broken_));
  }
  if (started_ && !forgotten_) return ask(Request::end, End{producer_id_, producer_epoch_, commits_, version_2()});
  if (renew_) return ask(Request::init_id, InitId{producer_id_, producer_epoch_});
  ended();
}

void Transaction::ask(Request request, Action action) {
  asked_ = request;
  actions_.push_back(std::move(action));
}

void Transaction::ended() {
  stage_ = Stage::idle;
  started_ = settled_ = renew_ = forgotten_ = false;
  broken_.reset();
  wanting_.clear();
  adding_.clear();
  groups_.clear();
  offsets_.reset();
  finish(std::nullopt);
}

// ---- answers ----------------------------------------------------------------------------------------------------------------

void Transaction::on(const Answered& event) {
  const Request request = std::exchange(asked_, Request::nothing);
  if (request == Request::add_partitions) return partitions_answered(event);
  Code worst = event.code;
  for (const Code each : event.each)
    if (judge(request, each) > judge(request, worst)) worst = each;
  const Judgement judgement = judge(request, worst);
  if (judgement == Judgement::good) return answered_well(request, event);
  if (worst == Code::unknown_producer_id || worst == Code::invalid_producer_id_mapping) {
    renew_ = true;
    forgotten_ = worst == Code::invalid_producer_id_mapping;
  }
  static constexpr const char* names[] = {"", "no producer id", "a partition cannot join the transaction", "a group cannot join the transaction",
                                          "offsets cannot be committed", "the transaction cannot be ended"};
  act_on(judgement, request, error_of(worst, Verdict::refused, names[static_cast<size_t>(request)]));
}

void Transaction::answered_well(Request request, const Answered& event) {
  failures_ = 0;
  const bool new_numbers = request == Request::init_id || (request == Request::end && version_2());
  if (new_numbers && event.producer_id >= 0) {
    producer_id_ = event.producer_id;
    producer_epoch_ = event.producer_epoch;
    actions_.push_back(UseId{producer_id_, producer_epoch_});
  }
  switch (request) {
    case Request::init_id:
      if (stage_ == Stage::none) return open();
      renew_ = false;
      return;
    case Request::add_offsets: return groups_.push_back(offsets_->group_id);
    case Request::commit_offsets:
      offsets_.reset();
      return finish(std::nullopt);
    case Request::end:
      started_ = false;
      if (version_2()) renew_ = false;
      return;
    default: return;
  }
}

// Each has a code of its own: those that are in are in, the others are asked for again.
void Transaction::partitions_answered(const Answered& event) {
  std::vector<Lane*> in, again;
  Judgement worst = judge(Request::add_partitions, event.code);
  Code code = event.code;
  const Lane* which = nullptr;
  for (size_t i = 0; i < adding_.size() && worst == Judgement::good; ++i)
    if (i >= event.each.size()) again.push_back(adding_[i]);
  for (size_t i = 0; i < adding_.size() && i < event.each.size(); ++i) {
    const Judgement judgement = judge(Request::add_partitions, event.each[i]);
    (judgement == Judgement::good ? in : again).push_back(adding_[i]);
    if (judgement > worst && event.each[i] != Code::operation_not_attempted) worst = judgement, code = event.each[i], which = adding_[i];
  }
  if (event.code != Code::none) again = adding_;
  adding_.clear();
  if (!in.empty()) actions_.push_back(Joined{in});
  wanting_.insert(wanting_.begin(), again.begin(), again.end());
  if (worst == Judgement::good) failures_ = 0;
  if (worst == Judgement::good && again.empty()) return;
  if (code == Code::unknown_producer_id || code == Code::invalid_producer_id_mapping) {
    renew_ = true;
    forgotten_ = code == Code::invalid_producer_id_mapping;
  }
  std::string what = "a partition cannot join the transaction";
  if (which) what = *which->topic + "-" + std::to_string(which->partition) + " cannot join the transaction";
  act_on(worst == Judgement::good ? Judgement::again : worst, Request::add_partitions, error_of(code, Verdict::refused, what));
}

void Transaction::on(const Unanswered& event) {
  const Request request = std::exchange(asked_, Request::nothing);
  if (request == Request::add_partitions) wanting_.insert(wanting_.begin(), adding_.begin(), adding_.end()), adding_.clear();
  if (event.why.verdict() == Verdict::retry) return try_again();
  const bool authorization = event.why.code() == static_cast<int32_t>(Code::group_authorization_failed);
  act_on(request == Request::init_id && stage_ == Stage::none ? Judgement::refused : authorization ? Judgement::broken : Judgement::fatal, request,
         event.why);
}

// As Kafka's own client has it (TransactionManager's handlers), apart from what is refused before there was a transaction: that can be
// tried again.  In the order of gravity.
Transaction::Judgement Transaction::judge(Request request, Code code) {
  if (code == Code::none) return Judgement::good;
  if (fenced(code)) return Judgement::fatal;
  if (code == Code::transaction_abortable) return Judgement::broken;
  const bool begins = request == Request::init_id;
  switch (code) {
    case Code::transactional_id_authorization_failed:
    case Code::cluster_authorization_failed:
    case Code::invalid_transaction_timeout: return begins ? Judgement::refused : Judgement::fatal;
    case Code::unknown_producer_id:
    case Code::invalid_producer_id_mapping: return begins ? Judgement::fatal : Judgement::broken;
    case Code::topic_authorization_failed:
    case Code::operation_not_attempted:
    case Code::invalid_topic_exception: return request == Request::add_partitions ? Judgement::broken : Judgement::fatal;
    case Code::group_authorization_failed: return Judgement::broken;
    case Code::fenced_instance_id:
    case Code::unknown_member_id:
    case Code::illegal_generation:
    case Code::stale_member_epoch: return request == Request::commit_offsets ? Judgement::broken : Judgement::fatal;
    default: return remedy_of(code) == Remedy::none ? Judgement::fatal : Judgement::again;
  }
}

void Transaction::act_on(Judgement judgement, Request request, Error error) {
  switch (judgement) {
    case Judgement::good: return;
    case Judgement::again: return try_again();
    case Judgement::refused:
      failures_ = 0;
      if (request == Request::init_id && stage_ == Stage::none) return finish(std::move(error));
      return turn_fatal(std::move(error));
    case Judgement::broken: return turn_broken(std::move(error));
    case Judgement::fatal: return turn_fatal(std::move(error));
  }
}

void Transaction::try_again() { not_before_ = now_ + options_.retry.after(++failures_, random_); }

void Transaction::turn_broken(Error error) {
  failures_ = 0;
  if (!version_2()) renew_ = true;
  const Error told = to_be_aborted(error);
  if (!broken_) broken_ = std::move(error);
  offsets_.reset();
  wanting_.clear();
  if (stage_ == Stage::ending && !commits_) {          // an abort that cannot be told: a new epoch ends the transaction as well
    started_ = false;
    renew_ = true;
    return;
  }
  if (stage_ == Stage::ending) stage_ = Stage::open;
  if (operation_) finish(told);
}

void Transaction::turn_fatal(Error error) {
  const bool by_another = fenced(static_cast<Code>(error.code()));
  std::string text = by_another ? "another producer has this transactional.id now: " + error.message() : error.message();
  fatal_ = Error(by_another ? static_cast<int32_t>(Code::producer_fenced) : error.code(), std::move(text), Verdict::fatal);
  if (operation_) finish(*fatal_);
}

void Transaction::on(const BatchFailed& event) {
  if (fatal_ || stage_ == Stage::none || stage_ == Stage::idle) return;
  if (stage_ == Stage::ending && !commits_) {          // dropped, as was asked for: perhaps with a gap in its sequence
    if (!version_2()) renew_ = true;
    return;
  }
  switch (static_cast<Code>(event.why.code())) {
    case Code::producer_fenced:
    case Code::cluster_authorization_failed:
    case Code::transactional_id_authorization_failed:
    case Code::unsupported_version: return turn_fatal(event.why);
    case Code::invalid_producer_id_mapping: renew_ = forgotten_ = true; break;
    default: break;
  }
  if (!version_2()) renew_ = true;
  if (!broken_) broken_ = event.why;                   // a commit under way hears of it when its batches have settled
}

}  // namespace kq::client
