#include "libkq/base/result.hpp"

#include <system_error>

namespace kq {

Error system_error(std::string_view what, int error_number) {
  return {own_code::system, std::string(what) + ": " + std::generic_category().message(error_number)};
}

}  // namespace kq
