// kq.h's objects with an owner, and its errors as a way out.
//
// Every failure ends a command, so here alone in kq an error is thrown: `Failure` carries what a person reads and the exit
// status, and main prints it.
#pragma once

#include <kq/kq.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kq::cli {

// The exit statuses, as the manual page lists them.
enum ExitStatus : int {
  exit_done = 0,
  exit_refused = 1,      // the cluster said no, or a record could not be delivered
  exit_usage = 2,        // wrong usage, or a wrong configuration
  exit_unreachable = 3,  // no broker could be reached, or time ran out
  exit_io = 4,           // a file or a terminal failed
  exit_interrupted = 130,
};

struct Failure {
  int status;
  std::string message;
};

template <auto Free>
struct FreeWith {
  void operator()(auto* object) const { Free(object); }
};
using Error = std::unique_ptr<kq_error, FreeWith<kq_error_free>>;
using Config = std::unique_ptr<kq_config, FreeWith<kq_config_free>>;
using Producer = std::unique_ptr<kq_producer, FreeWith<kq_producer_free>>;
using Consumer = std::unique_ptr<kq_consumer, FreeWith<kq_consumer_free>>;
using Admin = std::unique_ptr<kq_admin, FreeWith<kq_admin_free>>;
using Batch = std::unique_ptr<kq_batch, FreeWith<kq_batch_free>>;
using RowsOwner = std::unique_ptr<kq_rows, FreeWith<kq_rows_free>>;

// "TOPIC_ALREADY_EXISTS: topic orders is there already; ..."
std::string describe(const kq_error* error);
int exit_status(const kq_error* error);

// Throws where there is an error; takes it over.
void check(kq_error* error);

// Rows of an answer, or those nested in one: a view, which lives as long as the owner of the outermost rows.
class Rows {
 public:
  explicit Rows(const kq_rows* rows) : rows_(rows) {}
  size_t size() const { return kq_rows_count(rows_); }
  std::string string(size_t row, const char* column) const {
    const char* text = kq_rows_string(rows_, row, column);
    return text ? text : "";
  }
  const char* text(size_t row, const char* column) const { return kq_rows_string(rows_, row, column); }  // nullptr: null
  int64_t int64(size_t row, const char* column) const { return kq_rows_int64(rows_, row, column); }
  Rows nested(size_t row, const char* column) const { return Rows(kq_rows_nested(rows_, row, column)); }
  const kq_error* error(size_t row) const { return kq_rows_error(rows_, row); }

 private:
  const kq_rows* rows_;
};

// Tells on the standard error of each row that failed: the exit status is that of the last one.  `what` names the command, `tolerated` is
// the code of an error that the user said not to mind.
int report(const Rows& rows, const std::string& what, int32_t tolerated = KQ_ERR_NONE);

// A request to the cluster's administration, built item by item.
class Request {
 public:
  explicit Request(const char* operation);
  Request& item();
  Request& next();  // the same, but for the first call: for loops over items
  Request& set(const char* name, const std::string& value);
  Request& set(const char* name, int64_t value);
  RowsOwner run(kq_admin* admin, int32_t timeout_ms) const;

 private:
  std::unique_ptr<kq_request, FreeWith<kq_request_free>> request_;
  bool begun_ = false;
};

}  // namespace kq::cli
