#include "broker/log/cleaner/transactions.hpp"

#include <algorithm>

#include "libkq/record/batch_builder.hpp"

namespace kq::log {

CleanedTransactions::CleanedTransactions(std::vector<TxnEntry> aborted) : aborted_(std::move(aborted)) {
  std::ranges::sort(aborted_, {}, &TxnEntry::first_offset);
}

void CleanedTransactions::reach(int64_t offset) {
  for (; next_ < aborted_.size() && aborted_[next_].first_offset <= offset; ++next_)
    ongoing_aborted_.try_emplace(aborted_[next_].producer_id, Aborted{aborted_[next_]});
}

bool CleanedTransactions::on_records(const BatchView& batch) {
  reach(batch.last_offset());
  if (!batch.transactional()) return false;
  const auto aborted = ongoing_aborted_.find(batch.producer_id());
  if (aborted == ongoing_aborted_.end()) {
    ongoing_committed_.insert(batch.producer_id());
    return false;
  }
  aborted->second.has_records = true;
  return true;
}

CleanedTransactions::Marker CleanedTransactions::on_marker(const BatchView& batch, std::optional<int16_t> type) {
  reach(batch.last_offset());
  if (!type) return {.spent = true, .keep = {}};
  if (*type == static_cast<int16_t>(ControlType::commit)) return {.spent = ongoing_committed_.erase(batch.producer_id()) == 0, .keep = {}};
  if (*type != static_cast<int16_t>(ControlType::abort)) return {};
  const auto aborted = ongoing_aborted_.find(batch.producer_id());
  if (aborted == ongoing_aborted_.end()) return {.spent = true, .keep = {}};
  const Aborted found = aborted->second;
  ongoing_aborted_.erase(aborted);
  if (!found.has_records) return {.spent = true, .keep = {}};
  return {.spent = false, .keep = found.entry};
}

}  // namespace kq::log
