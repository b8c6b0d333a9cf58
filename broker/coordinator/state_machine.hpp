// What a coordinator is made of: a state machine for each partition of its internal topic.  No socket, file, clock or thread in it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "broker/cluster/image.hpp"
#include "libkq/base/clock.hpp"
#include "libkq/protocol/record_frame.hpp"
#include "libkq/record/batch.hpp"

namespace kq::coordinator {

struct Now {
  Instant instant;      // for deadlines
  int64_t wall_ms = 0;  // for timestamps in records
};

// A record of the log, on its way into the state.  Its views hold for the call.
struct Record {
  Bytes key;
  std::optional<Bytes> value;  // none: a tombstone
  int64_t offset = -1;
  int64_t producer_id = no_producer_id;  // of an open transaction: to be seen with its marker, and only if that commits
  int16_t producer_epoch = no_producer_epoch;

  bool transactional() const { return producer_id != no_producer_id; }
};

// A transaction's end in this partition: what it wrote here becomes visible, or is forgotten.
struct TransactionEnd {
  int64_t producer_id = no_producer_id;
  int16_t producer_epoch = no_producer_epoch;
  bool commit = false;
};

// What a decision wants written, as one batch: all of it or nothing.  Reusable: clear() keeps the memory.
class Writes {
 public:
  struct Entry {
    Bytes key;
    std::optional<Bytes> value;
  };

  template <class Key, class Value>
  void put(const Key& key, const Value& value, int16_t version) {
    Place place = begin(key);
    sayable_ = sayable_ && write_value(value, version, bytes_);
    place.value_size = bytes_.size() - place.value_at();
    places_.push_back(place);
  }
  template <class Key>
  void remove(const Key& key) {
    Place place = begin(key);
    place.tombstone = true;
    places_.push_back(place);
  }

  // Into this producer's transaction.
  void in_transaction(int64_t producer_id, int16_t producer_epoch) {
    producer_id_ = producer_id, producer_epoch_ = producer_epoch;
  }
  // Which begins in this log under the guard alone that was given before its coordinator was asked (KIP-890); 0: it is open here already.
  void guarded(uint64_t guard) { verified_only_ = true, guard_ = guard; }
  // The records need not come together: they may be spread over batches, of which the first may be written and the next refused.
  void may_be_split() { atomic_ = false; }
  // Called once, under the lock: with none when the records have been replayed, else with the client's error, and nothing has been
  // replayed (of what may be split: maybe not all of it).
  void then(std::function<void(Code)> done) { then_ = std::move(done); }

  bool empty() const { return places_.empty(); }
  size_t size() const { return places_.size(); }
  Entry at(size_t index) const {
    const Place& place = places_[index];
    const Bytes bytes{bytes_};
    Entry entry{bytes.subspan(place.at, place.key_size), std::nullopt};
    if (!place.tombstone) entry.value = bytes.subspan(place.value_at(), place.value_size);
    return entry;
  }
  bool sayable() const { return sayable_; }  // false: something does not fit its version; nothing is to be written
  bool atomic() const { return atomic_; }
  int64_t producer_id() const { return producer_id_; }
  int16_t producer_epoch() const { return producer_epoch_; }
  bool verified_only() const { return verified_only_; }
  uint64_t guard() const { return guard_; }
  void finish(Code code) {
    if (auto done = std::exchange(then_, nullptr)) done(code);
  }
  void clear() { *this = Writes(std::move(bytes_), std::move(places_)); }

  Writes() = default;

 private:
  struct Place {
    size_t at = 0, key_size = 0, value_size = 0;
    bool tombstone = false;
    size_t value_at() const { return at + key_size; }
  };

  Writes(std::vector<std::byte> bytes, std::vector<Place> places) : bytes_(std::move(bytes)), places_(std::move(places)) {
    bytes_.clear();
    places_.clear();
  }
  template <class Key>
  Place begin(const Key& key) {
    Place place{.at = bytes_.size()};
    sayable_ = sayable_ && write_key(key, bytes_);
    place.key_size = bytes_.size() - place.at;
    return place;
  }

  std::vector<std::byte> bytes_;
  std::vector<Place> places_;
  int64_t producer_id_ = no_producer_id;
  int16_t producer_epoch_ = no_producer_epoch;
  uint64_t guard_ = 0;
  bool verified_only_ = false;
  bool atomic_ = true;
  bool sayable_ = true;
  std::function<void(Code)> then_;
};

// The state that one partition's log stands for, and the requests on it.
//
// The runtime calls one method at a time, under the partition's lock.  The life: replay() and end_transaction() for everything in the
// log, loaded() once, then requests, tick() and metadata_changed(), at last unloaded(), after which nothing is called.
//
// Requests are methods of the derived class, which look at the state, answer, and say in a Writes what is to be written.  What is in the log
// changes by replay() alone: of a record that was read at the start, or that has just been appended.  What the log does not hold (members'
// sessions, who waits for an answer) may change at once.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // A record that cannot be read, or is of a kind that nobody knows, is passed over.
  virtual void replay(const Record&) = 0;
  virtual void end_transaction(const TransactionEnd&) {}

  // The log has been read.  Timers begin.
  virtual void loaded(const Now&, std::shared_ptr<const cluster::Image>) {}
  // This broker does not coordinate here any more: who still waits is answered not_coordinator.
  virtual void unloaded() {}
  // The next image; what it calls for is done in tick(), with a deadline() that has come.
  virtual void metadata_changed(const Now&, std::shared_ptr<const cluster::Image>, const cluster::Delta&) {}

  // When tick() wants to be called; asked after every other call.
  virtual std::optional<Instant> deadline() const { return std::nullopt; }
  // Does what is due, or a part of it (it is called again while deadline() has come).  Where its records are refused it is called again
  // after a pause, and has to decide the same anew.
  virtual void tick(const Now&, Writes&) {}
};

}  // namespace kq::coordinator
