/* kq.i: what every language's binding takes from the C headers.
 *
 * A language has a file of its own (python/kq_python.i, ...): %module, then its typemaps, then `%include "kq.i"`.  Three kinds of
 * typemap cover the headers:
 *   errors   `kq_error *` as a result is an exception, unless NULL.  It is the caller's to free.  `const kq_error *` is borrowed
 *            from a batch or from rows and is a value, not a failure.
 *   bytes    `(const void *value, size_t value_len)` and its like are one argument; `(topics, topics_len)` and `(partitions,
 *            partitions_len)` are one list.
 *   batches  what `kq_batch **out` gives is walked in C and crosses the border whole: never a call for each record.
 * `X **out`, `int32_t *out`, `int64_t *out` and `size_t *sent` are results.  Handles are opaque here; who owns and closes them is the
 * hand-written layer's affair.
 */
%{
#include <kq/kq.h>
#include <kq/broker.h>
%}

/* A struct starts with its size (KQ_RECORD_INIT ...), which a constructor made here would leave at zero; and what kq gives is const. */
%nodefaultctor;
%nodefaultdtor;
%immutable;

/* Bindings raise their languages' errors, and take kq's as they come. */
%ignore kq_error_new;

%include <stdint.i>
%include "kq/kq.h"
%include "kq/broker.h"
