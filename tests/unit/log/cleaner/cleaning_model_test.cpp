// Cleaning beside appends, transactions, readers and kills between any two operations on files, held to a model: a list of all that was ever
// written.  KQ_SEED and KQ_SEEDS choose what is run; a failure names its seed.
#include <map>
#include <set>

#include "tests/unit/log/cleaner/support.hpp"
#include "tests/unit/cmocka.hpp"

using namespace kq;
using namespace kq::log;
using namespace kq::test;

namespace {

struct Written {
  int64_t producer = -1;
  bool transactional = false;
  std::optional<bool> commit;                     // of a marker
  std::vector<Keyed> records;
};

using State = std::map<std::string, std::string>;

// What a consumer of committed records ends up with, and what it is given on the way.
struct Consumed {
  State state;
  std::map<int64_t, Keyed> records;
};

void put(State& state, const Keyed& record) {
  if (record.value) state[*record.key] = *record.value;
  else state.erase(*record.key);
}

class Story {
 public:
  explicit Story(uint64_t seed)
      : random_(seed), bed_({.segment_bytes = 400, .segment_index_bytes = 600, .index_interval_bytes = 100, .delete_retention_ms = 1000}) {
    bed_.files.on_operation([this](const char*, const std::string&) {
      if (kill_in_ > 0 && --kill_in_ == 0) bed_.files.stop();
    });
  }

  void run() {
    for (int i = 0; i < 150; ++i) {
      if (kill_in_ == 0 && random_.one_in(12)) kill_in_ = 1 + random_.below(40);
      act();
      if (bed_.files.stopped()) start_again();
      else if (random_.one_in(8)) check();
    }
    kill_in_ = 0;
    finish_cleaning();
    check();
    start_again();
    check();
  }

 private:
  void act() {
    bed_.now_ms += static_cast<int64_t>(random_.below(200));
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2: return append();
      case 3: return end_transaction();
      case 4: return void(bed_.log->roll(bed_.now_ms).ok());
      case 5: return void(bed_.flush(FlushKind::recovery_point).ok());
      case 6: return finish_cleaning();
      default: return step_cleaning();
    }
  }

  void append() {
    Written batch;
    const bool of_producer = random_.one_in(2);
    if (of_producer) {
      batch.producer = static_cast<int64_t>(random_.below(3));
      batch.transactional = open_.contains(batch.producer) || random_.one_in(2);
    }
    KeyedBatch spec{.records = {}, .timestamp = bed_.now_ms, .producer_id = batch.producer, .transactional = batch.transactional,
                    .codec = random_.one_in(3) ? Codec::lz4 : Codec::none};
    if (of_producer) spec.producer_epoch = 0, spec.sequence = sequences_[batch.producer];
    for (uint64_t i = 0; i <= random_.below(4); ++i) {
      Keyed record{"k" + std::to_string(random_.below(6)), std::to_string(random_.below(1000))};
      if (random_.one_in(5)) record.value.reset();
      batch.records.push_back(record);
    }
    spec.records = batch.records;
    Memory bytes = make_keyed(spec);
    write(std::move(batch), bytes, {});
  }

  void end_transaction() {
    if (open_.empty()) return;
    Written marker{.producer = *open_.begin(), .transactional = true, .commit = random_.one_in(2), .records = {}};
    Memory bytes = make_marker({.producer_id = marker.producer, .producer_epoch = 0, .commit = *marker.commit, .timestamp = bed_.now_ms});
    write(std::move(marker), bytes, {.origin = AppendOrigin::coordinator});
  }

  void write(Written batch, Memory& bytes, const AppendOptions& how) {
    auto appended = bed_.log->append_as_leader(bytes, 0, bed_.now_ms, how);
    if (appended && appended->code != Code::none) throw BrokenInvariant(std::string("refused: ") + kq::name_of(appended->code));
    if (appended) bed_.log->set_high_watermark(bed_.log->end_offset());
    else return void(attempted_ = std::move(batch));
    note(std::move(batch));
  }

  void note(Written batch) {
    if (batch.commit) open_.erase(batch.producer);
    else if (batch.transactional) open_.insert(batch.producer);
    const auto count = static_cast<int64_t>(batch.commit ? 1 : batch.records.size());
    if (batch.producer >= 0 && !batch.commit) sequences_[batch.producer] += static_cast<int32_t>(count);
    written_[end_] = std::move(batch);
    end_ += count;
  }

  void step_cleaning() {
    if (!cleaning_) {
      if (bed_.plan().cleanable_bytes == 0) return;
      cleaning_ = bed_.begin(random_.one_in(3) ? 24 * 5 : 1 << 20, 200);
    }
    for (uint64_t i = 0; cleaning_ && i <= random_.below(4); ++i) {
      const auto progress = cleaning_->step(bed_.now_ms);
      if (!progress && !bed_.files.stopped()) throw BrokenInvariant(progress.error().message());
      if (!progress) return;
      if (progress->state == Cleaning::State::given_up) cleaning_.reset();
      else if (progress->state == Cleaning::State::done) cleaned();
    }
  }

  void cleaned() {
    const bool whole = cleaning_->end_offset() >= cleaning_->plan().first_uncleanable;
    bed_.checkpoint = cleaning_->end_offset();
    cleaning_.reset();
    ++cleanings_;
    if (whole && *bed_.checkpoint > 0) check_compacted(*bed_.checkpoint);
  }

  void finish_cleaning() {
    for (int i = 0; i < 500 && !bed_.files.stopped(); ++i) {
      step_cleaning();
      if (!cleaning_) return;
    }
  }

  // Killed, or stopped: whatever was written is there.
  void start_again() {
    ++kills_;
    const int64_t recovery_point = bed_.log->recovery_point();
    cleaning_.reset();
    bed_.log.reset();
    kill_in_ = 0;
    bed_.files.restart();
    bed_.open(false, recovery_point);
    bed_.log->set_high_watermark(bed_.log->end_offset());
    if (attempted_ && bed_.log->end_offset() > end_) note(std::move(*attempted_));
    attempted_.reset();
    const auto entries = bed_.files.list("/data/t-0");
    for (const auto& entry : *entries)
      if (entry.name.ends_with(".cleaned") || entry.name.ends_with(".swap")) throw BrokenInvariant("left behind: " + entry.name);
    check();
  }

  bool committed(int64_t offset, const Written& batch) const {
    if (!batch.transactional) return true;
    for (auto after = written_.upper_bound(offset); after != written_.end(); ++after)
      if (after->second.producer == batch.producer && after->second.commit) return *after->second.commit;
    return false;
  }

  Consumed expected(int64_t below) const {
    Consumed all;
    for (const auto& [offset, batch] : written_) {
      if (offset >= below) break;
      if (batch.commit || !committed(offset, batch)) continue;
      for (size_t i = 0; i < batch.records.size(); ++i) {
        all.records[offset + static_cast<int64_t>(i)] = batch.records[i];
        put(all.state, batch.records[i]);
      }
    }
    return all;
  }

  // As the Java consumer does it.
  Consumed consume(int64_t from, int64_t upper) {
    Consumed all;
    std::set<int64_t> aborting;
    for (int64_t offset = from; offset < upper;) {
      auto read = bed_.log->read({.offset = offset, .bytes_max = 1 + random_.below(500), .upper_offset = upper});
      if (!read || read->code != Code::none) throw BrokenInvariant("cannot read at " + std::to_string(offset));
      if (read->slice.empty()) return all;
      auto aborted = bed_.log->aborted_transactions(offset, read->slice);
      if (!aborted) throw BrokenInvariant(aborted.error().message());
      size_t next = 0;
      const Memory bytes = read_slice(read->slice);
      Bytes rest = bytes;
      BatchReader reader;
      Block block;
      for (BatchView batch; next_batch(rest, batch) == Step::batch; offset = batch.next_offset()) {
        for (; next < aborted->size() && (*aborted)[next].first_offset <= batch.last_offset(); ++next) aborting.insert((*aborted)[next].producer_id);
        if (batch.count() == 0) continue;
        KQ_CHECK(reader.open(batch, block));
        const bool skipped = !batch.control() && batch.transactional() && aborting.contains(batch.producer_id());
        for (RecordView record; reader.next(record);) {
          if (batch.control() && control_type(record.key) == 0) aborting.erase(batch.producer_id());
          if (batch.control() || skipped || record.offset < from) continue;
          Keyed keyed{text_of(record.key), std::nullopt};
          if (record.value.data() != nullptr) keyed.value = std::string(as_text(record.value));
          put(all.state, keyed);
          all.records[record.offset] = std::move(keyed);
        }
      }
      aborting.clear();                           // each answer tells all that is needed for it
    }
    return all;
  }

  void check() {
    if (bed_.files.stopped()) return;
    if (bed_.log->end_offset() != end_) broken("the end is " + std::to_string(bed_.log->end_offset()) + ", not " + std::to_string(end_));
    const int64_t upper = bed_.log->last_stable_offset();
    const Consumed wanted = expected(upper);
    const Consumed found = consume(0, upper);
    if (found.state != wanted.state) broken("a reader of all ends up with something else");
    const auto is_written = [&](const auto& all) {
      for (const auto& [offset, record] : all.records) {
        const auto at = wanted.records.find(offset);
        if (at == wanted.records.end()) broken("offset " + std::to_string(offset) + " was never committed");
        if (at->second.key != record.key || at->second.value != record.value) broken("offset " + std::to_string(offset) + " has changed");
      }
    };
    is_written(found);
    is_written(consume(static_cast<int64_t>(random_.below(static_cast<uint64_t>(upper) + 1)), upper));
    for (const auto& [producer, sequence] : sequences_) {
      const Producer* known = bed_.log->producers().find(producer);
      if (sequence > 0 && (!known || known->last_sequence() != sequence - 1)) broken("the sequence of producer " + std::to_string(producer) + " is lost");
    }
  }

  // No key twice in what is clean.
  void check_compacted(int64_t below) {
    std::set<std::string> keys;
    for (const auto& [offset, record] : consume(0, std::min(below, bed_.log->last_stable_offset())).records)
      if (offset < below && !keys.insert(*record.key).second) broken(*record.key + " is there twice below " + std::to_string(below));
  }

  [[noreturn]] void broken(const std::string& what) { throw BrokenInvariant(what + "\n" + bed_.all()); }

 public:
  int cleanings_ = 0, kills_ = 0;

 private:
  Random random_;
  CompactedBed bed_;
  uint64_t kill_in_ = 0;
  std::unique_ptr<Cleaning> cleaning_;
  std::map<int64_t, Written> written_;            // by first offset
  int64_t end_ = 0;
  std::optional<Written> attempted_;
  std::map<int64_t, int32_t> sequences_;          // the next, by producer
  std::set<int64_t> open_;
};

void cleaning_loses_nothing_whatever_happens_beside_it(void**) {
  const uint64_t first = env_or("KQ_SEED", 1);
  const char* tier = std::getenv("KQ_TEST_TIER");
  const uint64_t count = env_or("KQ_SEEDS", std::getenv("KQ_SEED") ? 1 : tier && std::string_view(tier) == "full" ? 2000 : 150);
  int cleanings = 0, kills = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    try {
      Story story(seed);
      story.run();
      cleanings += story.cleanings_;
      kills += story.kills_;
    } catch (const std::exception& broken) {
      fail_msg("KQ_SEED=%llu: %s", static_cast<unsigned long long>(seed), broken.what());
    }
  }
  assert_true(cleanings > static_cast<int>(count));
  assert_true(kills > static_cast<int>(count));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(cleaning_loses_nothing_whatever_happens_beside_it),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
