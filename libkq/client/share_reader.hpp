// Turns what a share fetch brought into records: those that were acquired, and no others.
#pragma once

#include "libkq/client/share_fetcher.hpp"
#include "libkq/client/slice_reader.hpp"

namespace kq::client {

// Runs on the application's thread, one at a time.
class ShareReader {
 public:
  ShareReader(ReadOptions options, std::shared_ptr<FetchMemory> memory) : reader_(options, false, std::move(memory)) {}

  using Offsets = std::vector<std::pair<int64_t, int64_t>>;  // first, last
  // What a reading has found out, for the ShareFetcher.
  struct Found {
    Offsets handed_out{};
    Offsets gaps{};     // acquired, and no record has this offset
    Offsets missing{};  // acquired, and did not come
    Offsets unreadable{};
    std::optional<Error> error{};  // why they cannot be read
    bool done = false;             // the slice is done with
  };

  // Adds up to `records_max` records to `into`, each with its delivery count.
  Found read(ShareSlice&, size_t records_max, Batch& into);

 private:
  static void filter(ShareSlice&, size_t from, Batch& into, Found&);
  static void give_up_batch(ShareSlice&, Found&);

  SliceReader reader_;
};

}  // namespace kq::client
