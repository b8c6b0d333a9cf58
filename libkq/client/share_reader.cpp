#include "libkq/client/share_reader.hpp"

#include <algorithm>

#include "libkq/record/batch.hpp"

namespace kq::client {
namespace {

void add(ShareReader::Offsets& to, int64_t first, int64_t last) {
  if (last < first) return;
  if (!to.empty() && to.back().second == first - 1)
    to.back().second = last;
  else
    to.emplace_back(first, last);
}

// Takes what is acquired up to `last` away, into `to`.
void take_up_to(std::deque<AcquiredRun>& acquired, int64_t last, ShareReader::Offsets& to) {
  while (!acquired.empty() && acquired.front().first <= last) {
    AcquiredRun& run = acquired.front();
    add(to, run.first, std::min(run.last, last));
    if (run.last > last) {
      run.first = last + 1;
      return;
    }
    acquired.pop_front();
  }
}

}  // namespace

ShareReader::Found ShareReader::read(ShareSlice& slice, size_t records_max, Batch& into) {
  Found found;
  const size_t before = into.records.size(), full = before + records_max;
  bool at_end = false;
  while (!at_end && !slice.acquired.empty() && !found.error && into.records.size() < full) {
    const size_t from = into.records.size();
    auto read = reader_.read(slice.slice, full - from, into);
    filter(slice, from, into, found);
    if (!read) {
      found.error = std::move(read.error());
      give_up_batch(slice, found);
    } else {
      at_end = *read;
    }
  }
  found.done = at_end || slice.acquired.empty();
  // The bytes have been read to their end: what is left has no records, unless an answer was cut short.
  if (at_end) take_up_to(slice.acquired, INT64_MAX - 1, slice.slice.records.empty() ? found.gaps : found.missing);
  return found;
}

void ShareReader::filter(ShareSlice& slice, size_t from, Batch& into, Found& found) {
  auto& acquired = slice.acquired;
  size_t kept = from;
  for (size_t i = from; i < into.records.size(); ++i) {
    kq_record record = into.records[i];
    take_up_to(acquired, record.offset - 1, found.gaps);
    if (acquired.empty() || acquired.front().first != record.offset) continue;
    record.delivery_count = acquired.front().delivery_count;
    add(found.handed_out, record.offset, record.offset);
    if (++acquired.front().first > acquired.front().last) acquired.pop_front();
    into.records[kept++] = record;
  }
  into.records.resize(kept, kq_record KQ_RECORD_INIT);
}

// The batch that the reader stands before cannot be read: nobody else could, so it is not to come again.
void ShareReader::give_up_batch(ShareSlice& slice, Found& found) {
  Bytes rest = slice.slice.records;
  BatchView batch;
  if (next_batch(rest, batch) != Step::batch) {
    take_up_to(slice.acquired, INT64_MAX - 1, found.unreadable);
    return;
  }
  take_up_to(slice.acquired, batch.last_offset(), found.unreadable);
  slice.slice.position = std::max(slice.slice.position, batch.next_offset());
  slice.slice.records = rest;
}

}  // namespace kq::client
