#include "libkq/client/admin/admin.hpp"

#include <limits>

#include "libkq/api/config.hpp"
#include "libkq/api/handle.hpp"
#include "libkq/client/ending.hpp"

using namespace kq;
using namespace kq::api;

struct kq_request : client::admin::Request {
  using Request::Request;
};

struct kq_admin : Handle {
  kq_admin(std::shared_ptr<client::Driver> on, std::shared_ptr<client::Cluster> of, const client::Config& config)
      : Handle(std::move(on)), cluster(std::move(of)), admin(std::make_shared<client::Admin>(driver(), cluster, config.api_timeout)) {}

  std::shared_ptr<client::Cluster> cluster;
  std::shared_ptr<client::Admin> admin;
};

// ---- requests -----------------------------------------------------------------------------------------------------------------

kq_error* kq_request_new(const char* operation, kq_request** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(operation);
    KQ_API_ARGUMENT(out);
    const auto* found = client::admin::find_operation(operation);
    if (!found) return Error(own_code::argument, "there is no operation '" + std::string(operation) + "'");
    *out = new kq_request(*found);
    return {};
  });
}

void kq_request_free(kq_request* request) { delete request; }

kq_error* kq_request_item(kq_request* request) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(request);
    request->next_item();
    return {};
  });
}

kq_error* kq_request_string(kq_request* request, const char* name, const char* value) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(request);
    KQ_API_ARGUMENT(name);
    KQ_API_ARGUMENT(value);
    return request->set(name, 's', std::string(value));
  });
}

kq_error* kq_request_int64(kq_request* request, const char* name, int64_t value) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(request);
    KQ_API_ARGUMENT(name);
    return request->set(name, 'i', value);
  });
}

kq_error* kq_request_bytes(kq_request* request, const char* name, const void* value, size_t value_len) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(request);
    KQ_API_ARGUMENT(name);
    KQ_API_ARGUMENT(value || value_len == 0);
    return request->set(name, 'b', std::string(static_cast<const char*>(value), value_len));
  });
}

// ---- the handle ---------------------------------------------------------------------------------------------------------------

kq_error* kq_admin_new(const kq_config* config, kq_admin** out) { return kq_admin_new_on(nullptr, config, out); }

kq_error* kq_admin_new_on(kq_loop* loop, const kq_config* config, kq_admin** out) {
  return guard([&]() -> Status {
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(const client::Config parsed, parse_config(client::Role::admin, config));
    auto driver = make_driver(loop);
    KQ_TRY_ASSIGN(auto cluster, make_cluster(*driver, parsed));
    auto admin = std::make_unique<kq_admin>(std::move(driver), std::move(cluster), parsed);
    admin->driver()->run([&] { admin->cluster->start(); });
    *out = admin.release();
    return {};
  });
}

void kq_admin_free(kq_admin* admin) {
  if (admin && !admin->forked()) {
    kq_error_free(guard([&]() -> Status {
      client::end_client(*admin->driver(), admin->admin, admin->cluster);
      return {};
    }));
  }
  delete admin;
}

kq_error* kq_admin_run(kq_admin* admin, const kq_request* request, int32_t timeout_ms, kq_rows** out) {
  return guard_handle(admin, [&]() -> Status {
    KQ_API_ARGUMENT(request);
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(auto rows, admin->admin->run(*request, timeout_ms));
    *out = rows.release();
    return {};
  });
}

kq_error* kq_admin_start(kq_admin* admin, const kq_request* request, uint64_t tag) {
  return guard_handle(admin, [&]() -> Status {
    KQ_API_ARGUMENT(request);
    return admin->admin->start(*request, tag);
  });
}

kq_error* kq_admin_poll(kq_admin* admin, int32_t timeout_ms, kq_rows** out) {
  return guard_handle(admin, [&]() -> Status {
    KQ_API_ARGUMENT(out);
    KQ_TRY_ASSIGN(auto rows, admin->admin->poll(client::deadline_after(timeout_ms)));
    *out = rows.release();
    return {};
  });
}

int kq_admin_fd(const kq_admin* admin) { return admin && !admin->forked() ? admin->admin->descriptor() : -1; }

// ---- rows ---------------------------------------------------------------------------------------------------------------------

size_t kq_rows_count(const kq_rows* rows) { return rows ? rows->count() : 0; }
const kq_error* kq_rows_error(const kq_rows* rows, size_t row) { return rows ? rows->error(row) : nullptr; }
const kq_error* kq_rows_failure(const kq_rows* rows) { return rows ? rows->failure.get() : nullptr; }
uint64_t kq_rows_tag(const kq_rows* rows) { return rows ? rows->tag : 0; }
const char* kq_rows_operation(const kq_rows* rows) { return rows ? rows->operation() : nullptr; }

const char* kq_rows_string(const kq_rows* rows, size_t row, const char* column) {
  const std::string* value = rows && column ? rows->string(row, column) : nullptr;
  return value ? value->c_str() : nullptr;
}

int64_t kq_rows_int64(const kq_rows* rows, size_t row, const char* column) {
  const int64_t* value = rows && column ? rows->int64(row, column) : nullptr;
  return value ? *value : std::numeric_limits<int64_t>::min();
}

const void* kq_rows_bytes(const kq_rows* rows, size_t row, const char* column, size_t* out_len) {
  const std::string* value = rows && column ? rows->bytes(row, column) : nullptr;
  if (out_len) *out_len = value ? value->size() : 0;
  return value ? value->data() : nullptr;
}

const kq_rows* kq_rows_nested(const kq_rows* rows, size_t row, const char* column) {
  return rows && column ? rows->nested(row, column) : nullptr;
}

const char* kq_rows_json(const kq_rows* rows) {
  try {
    return rows ? rows->json().c_str() : nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void kq_rows_free(kq_rows* rows) { delete rows; }

// ---- the table ----------------------------------------------------------------------------------------------------------------

size_t kq_operation_count() { return client::admin::operations().size(); }

const char* kq_operation_name(size_t index) {
  const auto all = client::admin::operations();
  return index < all.size() ? all[index].name : nullptr;
}

const char* kq_operation_doc(const char* operation) {
  const auto* found = operation ? client::admin::find_operation(operation) : nullptr;
  return found ? found->doc : nullptr;
}

const kq_field* kq_operation_parameter(const char* operation, size_t index) {
  const auto* found = operation ? client::admin::find_operation(operation) : nullptr;
  return found && index < found->parameters.size() ? &found->parameters[index] : nullptr;
}

const kq_field* kq_operation_column(const char* operation, size_t index) {
  const auto* found = operation ? client::admin::find_operation(operation) : nullptr;
  return found && index < found->columns.size() ? &found->columns[index] : nullptr;
}
