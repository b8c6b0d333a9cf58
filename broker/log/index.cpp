#include "broker/log/index.hpp"

#include <array>
#include <charconv>

namespace kq::log {

std::string offset_name(int64_t offset) {
  std::string digits = std::to_string(offset);
  return std::string(offset_digits - digits.size(), '0') + digits;
}

std::string SegmentHome::path(int64_t base_offset, const char* suffix) const {
  return directory + "/" + offset_name(base_offset) + suffix + after_suffix;
}

std::optional<OffsetName> parse_offset_name(std::string_view name) {
  int64_t offset = 0;
  if (name.size() <= offset_digits) return std::nullopt;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + offset_digits, offset);
  if (failed != std::errc{} || end != name.data() + offset_digits || offset < 0) return std::nullopt;
  return OffsetName{offset, name.substr(offset_digits)};
}

std::optional<int64_t> offset_of(std::string_view name, std::string_view rest) {
  const auto parsed = parse_offset_name(name);
  if (!parsed || parsed->rest != rest) return std::nullopt;
  return parsed->offset;
}

OffsetEntry OffsetEntry::read(const std::byte* from, int64_t base_offset) {
  return {base_offset + load_be<int32_t>(from), load_be<int32_t>(from + 4)};
}

void OffsetEntry::write(std::byte* to, int64_t base_offset) const {
  store_be(to, static_cast<int32_t>(offset - base_offset));
  store_be(to + 4, static_cast<int32_t>(position));
}

TimeEntry TimeEntry::read(const std::byte* from, int64_t base_offset) {
  return {load_be<int64_t>(from), base_offset + load_be<int32_t>(from + 8)};
}

void TimeEntry::write(std::byte* to, int64_t base_offset) const {
  store_be(to, timestamp);
  store_be(to + 8, static_cast<int32_t>(offset - base_offset));
}

template <class Entry>
Status Index<Entry>::load() {
  if (loaded_) return {};
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY_ASSIGN(const uint64_t size, file->size());
  size_ = in_file_ = size / Entry::bytes;
  loaded_ = true;
  return {};
}

template <class Entry>
Status Index<Entry>::create(int64_t bytes_max) {
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY(file->truncate(0));
  size_ = in_file_ = 0;
  newest_.clear();
  loaded_ = unsynced_ = true;
  preallocated_ = false;
  return preallocate(bytes_max);
}

template <class Entry>
Status Index<Entry>::recover(int64_t offset_end) {
  loaded_ = false;
  newest_.clear();
  KQ_TRY(load());
  size_t valid = 0;
  Entry before = {};
  for (bool ascends = true; ascends && valid < in_file_;) {
    KQ_TRY_ASSIGN(const auto entries, read(valid, std::min(valid + block, in_file_)));
    for (const Entry& entry : entries) {
      ascends = !entry.zero(base_offset_) && entry.offset >= base_offset_ && entry.offset < offset_end && entry.follows(before);
      if (!ascends) break;
      before = entry;
      ++valid;
    }
  }
  return keep(valid);
}

template <class Entry>
Result<size_t> Index<Entry>::count() {
  KQ_TRY(load());
  return size_;
}

template <class Entry>
Result<std::vector<Entry>> Index<Entry>::read(size_t from, size_t to) {
  std::vector<Entry> entries;
  if (from == to) return entries;
  KQ_TRY_ASSIGN(const auto file, this->file());
  std::vector<std::byte> bytes((to - from) * Entry::bytes);
  KQ_TRY_ASSIGN(const size_t got, file->read_at(from * Entry::bytes, bytes));
  if (got < bytes.size()) return Error{own_code::data, path() + " is shorter than it was: something else writes here"};
  entries.reserve(to - from);
  for (size_t at = 0; at < bytes.size(); at += Entry::bytes) entries.push_back(Entry::read(bytes.data() + at, base_offset_));
  return entries;
}

template <class Entry>
Result<Entry> Index<Entry>::at(size_t i) {
  KQ_TRY(load());
  KQ_CHECK(i < size_);
  if (i >= in_file_) return newest_[i - in_file_];
  KQ_TRY_ASSIGN(const auto file, this->file());
  std::array<std::byte, Entry::bytes> bytes;
  KQ_TRY_ASSIGN(const size_t got, file->read_at(i * Entry::bytes, bytes));
  if (got < bytes.size()) return Error{own_code::data, path() + " is shorter than it was: something else writes here"};
  return Entry::read(bytes.data(), base_offset_);
}

template <class Entry>
Result<std::optional<Entry>> Index<Entry>::last() {
  KQ_TRY(load());
  if (size_ == 0) return std::optional<Entry>{};
  KQ_TRY_ASSIGN(const Entry entry, at(size_ - 1));
  return std::optional<Entry>{entry};
}

template <class Entry>
Status Index<Entry>::append(const Entry& entry) {
  KQ_TRY(load());
  newest_.push_back(entry);
  ++size_;
  return newest_.size() >= block ? write_out() : Status{};
}

template <class Entry>
Status Index<Entry>::write_out() {
  if (newest_.empty()) return {};
  KQ_TRY_ASSIGN(const auto file, this->file());
  std::vector<std::byte> bytes(newest_.size() * Entry::bytes);
  for (size_t i = 0; i < newest_.size(); ++i) newest_[i].write(bytes.data() + i * Entry::bytes, base_offset_);
  KQ_TRY(file->write_at(in_file_ * Entry::bytes, Bytes{bytes}));
  in_file_ = size_;
  newest_.clear();
  unsynced_ = true;
  return {};
}

template <class Entry>
Status Index<Entry>::keep(size_t count) {
  KQ_TRY(load());
  KQ_CHECK(count <= size_);
  newest_.resize(count > in_file_ ? count - in_file_ : 0);
  if (count < in_file_) {
    KQ_TRY_ASSIGN(const auto file, this->file());
    KQ_TRY(file->truncate(count * Entry::bytes));
    in_file_ = count;
    unsynced_ = true;
    preallocated_ = false;
  }
  size_ = count;
  return {};
}

template <class Entry>
Status Index<Entry>::preallocate(int64_t bytes_max) {
  if (preallocated_) return {};
  KQ_TRY(load());
  KQ_TRY_ASSIGN(const auto file, this->file());
  const auto entries = std::max(static_cast<size_t>(bytes_max) / Entry::bytes, size_);
  KQ_TRY(file->truncate(entries * Entry::bytes));
  preallocated_ = true;
  return {};
}

template <class Entry>
Status Index<Entry>::trim() {
  KQ_TRY(load());
  KQ_TRY(write_out());
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY(file->truncate(size_ * Entry::bytes));
  preallocated_ = false;
  unsynced_ = true;
  return {};
}

template class Index<OffsetEntry>;
template class Index<TimeEntry>;

Status TxnIndex::load() {
  if (in_file_) return {};
  if (!home_.cache.files().exists(path())) {
    in_file_ = 0;
    return {};
  }
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY_ASSIGN(const uint64_t size, file->size());
  in_file_ = size / bytes;
  return {};
}

Status TxnIndex::append(const TxnEntry& entry) {
  KQ_TRY(load());
  newest_.push_back(entry);
  return write_out();
}

Status TxnIndex::write_out() {
  if (newest_.empty()) return {};
  KQ_TRY_ASSIGN(const auto file, this->file());
  std::vector<std::byte> content(newest_.size() * bytes);
  for (size_t i = 0; i < newest_.size(); ++i) {
    std::byte* to = content.data() + i * bytes;
    store_be(to, version);
    store_be(to + 2, newest_[i].producer_id);
    store_be(to + 10, newest_[i].first_offset);
    store_be(to + 18, newest_[i].last_offset);
    store_be(to + 26, newest_[i].last_stable_offset);
  }
  KQ_TRY(file->write_at(*in_file_ * bytes, Bytes{content}));
  *in_file_ += newest_.size();
  newest_.clear();
  unsynced_ = true;
  return {};
}

Result<std::vector<TxnEntry>> TxnIndex::all() {
  KQ_TRY(load());
  std::vector<TxnEntry> entries;
  if (*in_file_ > 0) {
    KQ_TRY_ASSIGN(const auto file, this->file());
    std::vector<std::byte> content(*in_file_ * bytes);
    KQ_TRY_ASSIGN(const size_t got, file->read_at(0, content));
    entries.reserve(*in_file_ + newest_.size());
    for (size_t at = 0; at + bytes <= got; at += bytes) {
      const std::byte* from = content.data() + at;
      if (load_be<int16_t>(from) != version) break;
      entries.push_back({load_be<int64_t>(from + 2), load_be<int64_t>(from + 10), load_be<int64_t>(from + 18),
                         load_be<int64_t>(from + 26)});
    }
  }
  entries.insert(entries.end(), newest_.begin(), newest_.end());
  return entries;
}

Status TxnIndex::truncate_to(int64_t offset) {
  KQ_TRY_ASSIGN(const auto entries, all());
  size_t kept = 0;
  int64_t before = -1;
  while (kept < entries.size() && entries[kept].last_offset > before && entries[kept].last_offset < offset) {
    before = entries[kept++].last_offset;
  }
  if (kept == *in_file_ + newest_.size()) return {};
  newest_.resize(kept > *in_file_ ? kept - *in_file_ : 0);
  if (kept >= *in_file_) return {};
  KQ_TRY_ASSIGN(const auto file, this->file());
  KQ_TRY(file->truncate(kept * bytes));
  in_file_ = kept;
  unsynced_ = true;
  return {};
}

}  // namespace kq::log
