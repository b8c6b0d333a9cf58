// UTF-8 as the UTF-16 that Java sees.
#pragma once

#include <string>
#include <string_view>

namespace kq {

// What is no UTF-8 counts as U+FFFD, a byte each.
std::u16string utf16(std::string_view utf8);

}  // namespace kq
