// What the cleaner knows of transactions while it walks a log in order: whose records were aborted, and which markers have records left.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <optional>
#include <vector>

#include "broker/log/index.hpp"
#include "libkq/record/batch.hpp"

namespace kq::log {

// CleanedTransactionMetadata of Kafka 4.2.  One walk.
class CleanedTransactions {
 public:
  // Of the log's index, those that may concern the walk, in any order.
  explicit CleanedTransactions(std::vector<TxnEntry> aborted);

  // Does this batch of records belong to a transaction that was aborted?
  bool on_records(const BatchView&);

  struct Marker {
    bool spent = false;                                   // no record of its transaction was met: it may go
    std::optional<TxnEntry> keep;                         // it stays, and so does this entry of the index
  };
  // `control_type`: of the batch's record; nothing where a cleaning before took it out.
  Marker on_marker(const BatchView&, std::optional<int16_t> control_type);

 private:
  struct Aborted {
    TxnEntry entry;
    bool has_records = false;
  };
  void reach(int64_t offset);

  std::vector<TxnEntry> aborted_;                         // by first offset
  size_t next_ = 0;
  boost::unordered_flat_map<int64_t, Aborted> ongoing_aborted_;             // by producer
  boost::unordered_flat_set<int64_t> ongoing_committed_;
};

}  // namespace kq::log
