// kq_batch: received records, events, or deliveries.
#pragma once

#include <optional>

#include "libkq/api/error.hpp"
#include "libkq/client/batch.hpp"
#include "libkq/client/deliveries.hpp"

struct kq_batch : kq::client::Batch {
 public:
  void add(kq::client::Deliveries&& of_a_batch) {
    deliveries_.push_back(std::move(of_a_batch));
    delivery_count_ += deliveries_.back().count();
    any_failed_ |= deliveries_.back().failed();
  }

  size_t count() const { return kind == KQ_DELIVERIES ? delivery_count_ : records.size(); }
  const kq_record* at(size_t index) const;
  const kq_error* error(size_t index) const;

 private:
  // Deliveries become records when the first is looked at: who only counts them pays nothing for that.
  void spell_out() const;
  const kq_error* event_error(size_t index) const;
  void spell_out(kq::client::Deliveries&, std::vector<kq_record>& into) const;

  mutable std::vector<kq::client::Deliveries> deliveries_;
  mutable std::vector<kq_record> delivered_;
  mutable std::vector<std::shared_ptr<const kq_error>> errors_;        // by record; empty: all went well
  mutable kq::client::Batch headers_;
  size_t delivery_count_ = 0;
  bool any_failed_ = false;
};
