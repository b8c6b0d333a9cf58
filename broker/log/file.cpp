#include "broker/log/file.hpp"

#include <cerrno>

namespace kq::log {

bool disk_full(const Error& error) { return error.code() == own_code::no_room; }

Error file_error(std::string_view what, std::string_view path, int error_number) {
  const std::string context = std::string(what) + " " + std::string(path);
  Error error = system_error(context, error_number);
  if (error_number != ENOSPC && error_number != EDQUOT && error_number != EFBIG) return error;
  return {own_code::no_room, error.message(), Verdict::retry};
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> read_small_file(FileSystem& files, const std::string& path, size_t size_max) {
  KQ_TRY_ASSIGN(const auto file, files.open(path, OpenMode::read));
  KQ_TRY_ASSIGN(const uint64_t size, file->size());
  if (size > size_max) {
    return Error{own_code::data, path + " has " + std::to_string(size) + " bytes, more than " + std::to_string(size_max)};
  }
  std::string content(size, '\0');
  size_t at = 0;
  while (at < size) {
    KQ_TRY_ASSIGN(const size_t read, file->read_at(at, std::as_writable_bytes(std::span{content}).subspan(at)));
    if (read == 0) break;
    at += read;
  }
  content.resize(at);
  return content;
}

Status write_synced_file(FileSystem& files, const std::string& path, std::string_view content) {
  KQ_TRY_ASSIGN(const auto file, files.open(path, OpenMode::create));
  KQ_TRY(file->truncate(0));
  if (!content.empty()) KQ_TRY(file->write_at(0, as_bytes(content)));
  return file->sync();
}

Status replace_file(FileSystem& files, const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  KQ_TRY(write_synced_file(files, temporary, content));
  KQ_TRY(files.rename(temporary, path));
  return files.sync_directory(parent_of(path));
}

}  // namespace kq::log
