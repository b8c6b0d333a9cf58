#include "libkq/api/error.hpp"

#include <algorithm>
#include <iterator>
#include <new>

#include "libkq/api/guard.hpp"
#include "libkq/protocol/codes.hpp"

namespace kq::api {
namespace {

struct OwnCode {
  int32_t code;
  const char* name;
};
constexpr OwnCode own_codes[] = {
    {KQ_ERR_INTERNAL, "INTERNAL"},   {KQ_ERR_ARGUMENT, "ARGUMENT"},   {KQ_ERR_CONFIG, "CONFIG"},
    {KQ_ERR_SYSTEM, "SYSTEM"},       {KQ_ERR_CLOSED, "CLOSED"},       {KQ_ERR_TIMED_OUT, "TIMED_OUT"},
    {KQ_ERR_NO_ROOM, "NO_ROOM"},     {KQ_ERR_RESOLVE, "RESOLVE"},     {KQ_ERR_TRANSPORT, "TRANSPORT"},
    {KQ_ERR_PROTOCOL, "PROTOCOL"},   {KQ_ERR_NO_MEMORY, "NO_MEMORY"}, {KQ_ERR_FORKED, "FORKED"},
    {KQ_ERR_UNSUPPORTED, "UNSUPPORTED"}, {KQ_ERR_DATA, "DATA"},
};
static_assert(KQ_ERR_INTERNAL == own_code::internal && KQ_ERR_ARGUMENT == own_code::argument && KQ_ERR_CONFIG == own_code::config &&
              KQ_ERR_SYSTEM == own_code::system && KQ_ERR_CLOSED == own_code::closed && KQ_ERR_TIMED_OUT == own_code::timed_out &&
              KQ_ERR_NO_ROOM == own_code::no_room && KQ_ERR_RESOLVE == own_code::resolve &&
              KQ_ERR_TRANSPORT == own_code::transport && KQ_ERR_PROTOCOL == own_code::protocol &&
              KQ_ERR_NO_MEMORY == own_code::no_memory && KQ_ERR_FORKED == own_code::forked &&
              KQ_ERR_UNSUPPORTED == own_code::unsupported && KQ_ERR_DATA == own_code::data);
static_assert(KQ_REFUSED == static_cast<int>(Verdict::refused) && KQ_RETRY == static_cast<int>(Verdict::retry) &&
              KQ_ABORT == static_cast<int>(Verdict::abort) && KQ_FATAL == static_cast<int>(Verdict::fatal));

kq_error out_of_memory{KQ_ERR_NO_MEMORY, KQ_RETRY, true, "out of memory", {}, -1};

}  // namespace

kq_error* no_memory_error() noexcept { return &out_of_memory; }

}  // namespace kq::api

using namespace kq::api;

int32_t kq_error_code(const kq_error* error) { return error ? error->code : 0; }
const char* kq_error_name(const kq_error* error) { return kq_code_name(kq_error_code(error)); }
kq_verdict kq_error_verdict(const kq_error* error) { return error ? error->verdict : KQ_OK; }
const char* kq_error_message(const kq_error* error) { return error ? error->message.c_str() : ""; }
const char* kq_error_topic(const kq_error* error) { return error && !error->topic.empty() ? error->topic.c_str() : nullptr; }
int32_t kq_error_partition(const kq_error* error) { return error ? error->partition : -1; }

kq_error* kq_error_copy(const kq_error* error) {
  if (!error) return nullptr;
  if (error->is_static) return const_cast<kq_error*>(error);
  return or_no_memory([&] { return new kq_error(*error); });
}

void kq_error_free(kq_error* error) {
  if (error && !error->is_static) delete error;
}

kq_error* kq_error_new(int32_t code, kq_verdict verdict, const char* message) {
  return or_no_memory([&] { return new kq_error{code, verdict, false, message ? message : "", {}, -1}; });
}

const char* kq_code_name(int32_t code) {
  if (code <= KQ_ERR_INTERNAL) {
    const auto* found = std::ranges::find(own_codes, code, &OwnCode::code);
    return found != std::end(own_codes) ? found->name : "UNKNOWN";
  }
  const auto* found = std::ranges::find(kq::code_table, static_cast<kq::Code>(code), &kq::CodeInfo::code);
  return found != std::end(kq::code_table) && static_cast<int32_t>(found->code) == code ? found->name : "UNKNOWN";
}
