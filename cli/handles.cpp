#include "cli/handles.hpp"

#include <fmt/format.h>

#include <utility>

namespace kq::cli {

std::string describe(const kq_error* error) {
  std::string text = kq_error_message(error);
  const std::string name = kq_error_name(error);
  if (text.empty()) return name;
  return text.find(name) == std::string::npos ? text + " (" + name + ")" : text;
}

int exit_status(const kq_error* error) {
  switch (kq_error_code(error)) {
    case KQ_ERR_NONE: return exit_done;
    case KQ_ERR_ARGUMENT:
    case KQ_ERR_CONFIG: return exit_usage;
    case KQ_ERR_TIMED_OUT:
    case KQ_ERR_RESOLVE:
    case KQ_ERR_TRANSPORT:
    case KQ_ERR_REQUEST_TIMED_OUT: return exit_unreachable;
    case KQ_ERR_SYSTEM: return exit_io;
    // To be tried again, says the protocol, as a new topic is not known everywhere at once; who typed a name wants to hear no.
    case KQ_ERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KQ_ERR_UNKNOWN_TOPIC_ID:
    case KQ_ERR_ELECTION_NOT_NEEDED: return exit_refused;
    default: return kq_error_verdict(error) == KQ_RETRY ? exit_unreachable : exit_refused;
  }
}

void check(kq_error* error) {
  if (!error) return;
  const Error owner(error);
  throw Failure{exit_status(error), describe(error)};
}

int report(const Rows& rows, const std::string& what, int32_t tolerated) {
  int status = exit_done;
  for (size_t i = 0; i < rows.size(); ++i) {
    const kq_error* error = rows.error(i);
    if (!error || (tolerated != KQ_ERR_NONE && kq_error_code(error) == tolerated)) continue;
    fmt::print(stderr, "kq {}: {}\n", what, describe(error));
    status = exit_status(error);
  }
  return status;
}

Request::Request(const char* operation) {
  kq_request* request = nullptr;
  check(kq_request_new(operation, &request));
  request_.reset(request);
}

Request& Request::item() {
  check(kq_request_item(request_.get()));
  return *this;
}

Request& Request::next() { return std::exchange(begun_, true) ? item() : *this; }

Request& Request::set(const char* name, const std::string& value) {
  check(kq_request_string(request_.get(), name, value.c_str()));
  return *this;
}

Request& Request::set(const char* name, int64_t value) {
  check(kq_request_int64(request_.get(), name, value));
  return *this;
}

RowsOwner Request::run(kq_admin* admin, int32_t timeout_ms) const {
  kq_rows* rows = nullptr;
  check(kq_admin_run(admin, request_.get(), timeout_ms, &rows));
  return RowsOwner(rows);
}

}  // namespace kq::cli
