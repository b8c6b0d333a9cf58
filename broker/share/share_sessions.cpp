#include "broker/share/share_sessions.hpp"

#include <algorithm>

namespace kq::share {

Code ShareSessions::advance(Session& session, int32_t epoch) {
  if (session.epoch != epoch) return Code::invalid_share_session_epoch;
  session.epoch = epoch == INT32_MAX ? 1 : epoch + 1;
  return Code::none;
}

ShareSessions::Fetch ShareSessions::fetch(const Member& member, const Ask& ask) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(member);
  if (ask.epoch == final_epoch)
    return {.code = found == sessions_.end() ? Code::share_session_not_found : Code::none, .partitions = {}, .subsequent = true};
  if (ask.epoch == first_epoch) {
    if (ask.acknowledges) return {.code = Code::invalid_request, .partitions = {}};
    if (found == sessions_.end() && sessions_.size() >= sessions_max_)
      return {.code = Code::share_session_limit_reached, .partitions = {}};
    Session& session = sessions_[member] = {.connection = ask.connection, .partitions = ask.add};
    return {.partitions = session.partitions};
  }
  if (found == sessions_.end()) return {.code = Code::share_session_not_found, .partitions = {}};
  Session& session = found->second;
  if (const Code code = advance(session, ask.epoch); code != Code::none) return {.code = code, .partitions = {}};
  session.connection = ask.connection;
  for (const TopicPartition& one : ask.add)
    if (std::ranges::find(session.partitions, one) == session.partitions.end()) session.partitions.push_back(one);
  std::erase_if(session.partitions,
                [&](const TopicPartition& one) { return std::ranges::find(ask.forget, one) != ask.forget.end(); });
  if (!session.partitions.empty()) std::ranges::rotate(session.partitions, session.partitions.begin() + 1);
  return {.partitions = session.partitions, .subsequent = true};
}

Code ShareSessions::acknowledge(const Member& member, int32_t epoch) {
  std::lock_guard lock(mutex_);
  if (epoch == first_epoch) return Code::invalid_share_session_epoch;
  const auto found = sessions_.find(member);
  if (found == sessions_.end()) return Code::share_session_not_found;
  return epoch == final_epoch ? Code::none : advance(found->second, epoch);
}

std::optional<std::vector<TopicPartition>> ShareSessions::end(const Member& member) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(member);
  if (found == sessions_.end()) return std::nullopt;
  auto partitions = std::move(found->second.partitions);
  sessions_.erase(found);
  return partitions;
}

std::vector<Member> ShareSessions::of_connection(uint64_t connection) const {
  std::lock_guard lock(mutex_);
  std::vector<Member> members;
  for (const auto& [member, session] : sessions_)
    if (session.connection == connection) members.push_back(member);
  return members;
}

bool ShareSessions::any_of(std::string_view group) const {
  std::lock_guard lock(mutex_);
  const auto at = sessions_.lower_bound({std::string(group), {}});
  return at != sessions_.end() && at->first.group == group;
}

size_t ShareSessions::size() const {
  std::lock_guard lock(mutex_);
  return sessions_.size();
}

}  // namespace kq::share
