// CMocka as C++ includes it.  A failed assertion jumps over destructors: assert on the test's own thread, outside coroutines.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include <cmocka.h>
}
