#include "include/kq/kq.h"

#define KQ_TEXT_(x) #x
#define KQ_TEXT(x) KQ_TEXT_(x)

const char* kq_version() { return KQ_TEXT(KQ_VERSION_MAJOR) "." KQ_TEXT(KQ_VERSION_MINOR) "." KQ_TEXT(KQ_VERSION_PATCH); }
int32_t kq_version_number() { return KQ_VERSION_MAJOR * 1000000 + KQ_VERSION_MINOR * 1000 + KQ_VERSION_PATCH; }
