/* The low level of libkq for Python.  What waits, what is hot and what owns memory is written by hand in this folder and not wrapped. */
%module _kq

%{
#include "core.h"

#if SWIG_VERSION >= 0x040400               /* it initialises in two phases since then */
#define KQ_NO_MODULE -1
#else
#define KQ_NO_MODULE NULL
#endif
%}

/* Handles: the hand-written types, refused when closed. */
%define KQ_HANDLE(type, kind)
%typemap(in) type * (Handle *held = NULL), const type * (Handle *held = NULL) {
  if (!($1 = handle_enter($input, kind))) SWIG_fail;
  held = (Handle *)$input;
}
%typemap(freearg) type *, const type * { if (held$argnum) handle_leave(held$argnum); }
%enddef
KQ_HANDLE(kq_producer, HANDLE_PRODUCER)
KQ_HANDLE(kq_consumer, HANDLE_CONSUMER)
KQ_HANDLE(kq_broker, HANDLE_BROKER)
KQ_HANDLE(kq_share_consumer, HANDLE_SHARE)

/* Errors. */
%typemap(out) kq_error * {
  if ($1) { raise_error($1); SWIG_fail; }
  $result = Py_NewRef(Py_None);
}
%typemap(out) kq_error *kq_broker_failure {
  $result = $1 ? error_object($1) : Py_NewRef(Py_None);
  kq_error_free($1);
}

/* Lists. */
%typemap(in) (const kq_topic_partition *partitions, size_t partitions_len) (Partitions list = {NULL, 0, NULL}),
             (const kq_topic_partition *offsets, size_t offsets_len) (Partitions list = {NULL, 0, NULL}) {
  if (!partitions_from($input, true, &list)) SWIG_fail;
  $1 = list.at;
  $2 = list.count;
}
%typemap(freearg) (const kq_topic_partition *partitions, size_t partitions_len), (const kq_topic_partition *offsets, size_t offsets_len) {
  partitions_free(&list$argnum);
}
%typemap(in) (const char *const *topics, size_t topics_len) (const char **names = NULL, PyObject *keep = NULL) {
  keep = PyUnicode_Check($input) ? NULL : PySequence_Tuple($input);
  if (!keep) {
    PyErr_Format(PyExc_TypeError, "this needs a list of topics, not %R", $input);
    SWIG_fail;
  }
  $2 = (size_t)PyTuple_Size(keep);
  names = PyMem_Calloc($2 + 1, sizeof *names);
  for (size_t i = 0; names && i < $2; ++i)
    if (!(names[i] = text_from(PyTuple_GetItem(keep, (Py_ssize_t)i), "a topic"))) SWIG_fail;
  $1 = (char **)names;
}
%typemap(freearg) (const char *const *topics, size_t topics_len) {
  PyMem_Free(names$argnum);
  Py_XDECREF(keep$argnum);
}
%typemap(in) const char *topic, const char *pattern, const char *operation {
  if (!($1 = (char *)text_from($input, "$1_name"))) SWIG_fail;
}
%typemap(freearg) const char *topic, const char *pattern, const char *operation ""

/* Results. */
%typemap(in, numinputs=0) kq_rows **out (kq_rows *rows = NULL) { $1 = &rows; }
%typemap(argout) kq_rows **out {
  Py_XDECREF($result);
  $result = rows_to_python(rows$argnum);
  kq_rows_free(rows$argnum);
}
%typemap(in, numinputs=0) int64_t *out (int64_t number = 0) { $1 = &number; }
%typemap(argout) int64_t *out {
  Py_XDECREF($result);
  $result = PyLong_FromLongLong(number$argnum);
}
%typemap(in) kq_batch *batch, const kq_batch *batch {
  if (Py_TYPE($input) != batch_type) {
    PyErr_Format(PyExc_TypeError, "this needs a Batch or an event, not %R", $input);
    SWIG_fail;
  }
  $1 = ((Batch *)$input)->raw;
}
%typemap(out) const kq_option * {
  $result = $1 ? Py_BuildValue("zzzzzz", $1->name, $1->alias, $1->type, $1->default_value, $1->allowed, $1->doc) : Py_NewRef(Py_None);
}
%typemap(out) const kq_field * {
  $result = $1 ? Py_BuildValue("sCiiizz", $1->name, (int)$1->type, $1->nullable, $1->repeated, $1->per_item, $1->default_value, $1->doc)
               : Py_NewRef(Py_None);
}

/* What crosses the border as it is; all else is by hand: producer.c, consumer.c, batch.c, job.c, convert.c. */
%rename("$ignore", %$isfunction) "";
%rename("$ignore", %$isclass) "";
%define KQ_AS_IT_IS(name)
%rename("%(strip:[kq_])s") name;
%enddef
KQ_AS_IT_IS(kq_code_name)
KQ_AS_IT_IS(kq_option_count)
KQ_AS_IT_IS(kq_option_at)
KQ_AS_IT_IS(kq_producer_purge)
KQ_AS_IT_IS(kq_producer_fd)
KQ_AS_IT_IS(kq_producer_pending)
KQ_AS_IT_IS(kq_consumer_assign)
KQ_AS_IT_IS(kq_consumer_seek)
KQ_AS_IT_IS(kq_consumer_pause)
KQ_AS_IT_IS(kq_consumer_resume)
KQ_AS_IT_IS(kq_consumer_fd)
KQ_AS_IT_IS(kq_consumer_position)
KQ_AS_IT_IS(kq_consumer_assignment)
KQ_AS_IT_IS(kq_consumer_subscribe)
KQ_AS_IT_IS(kq_consumer_subscribe_pattern)
KQ_AS_IT_IS(kq_consumer_unsubscribe)
KQ_AS_IT_IS(kq_consumer_release)
KQ_AS_IT_IS(kq_consumer_commit_async)
KQ_AS_IT_IS(kq_consumer_store)
KQ_AS_IT_IS(kq_operation_count)
KQ_AS_IT_IS(kq_operation_name)
KQ_AS_IT_IS(kq_operation_doc)
KQ_AS_IT_IS(kq_operation_parameter)
KQ_AS_IT_IS(kq_operation_column)
KQ_AS_IT_IS(kq_version)
KQ_AS_IT_IS(kq_version_number)
KQ_AS_IT_IS(kq_share_consumer_subscribe)
KQ_AS_IT_IS(kq_share_consumer_unsubscribe)
KQ_AS_IT_IS(kq_share_consumer_fd)
KQ_AS_IT_IS(kq_share_consumer_acknowledge)
KQ_AS_IT_IS(kq_share_consumer_acknowledge_at)
KQ_AS_IT_IS(kq_share_consumer_lock_timeout_ms)
KQ_AS_IT_IS(kq_broker_address)
KQ_AS_IT_IS(kq_broker_failure)

%include "kq.i"

%init %{
  if (add_convert(m) < 0 || add_handles(m) < 0 || add_batches(m) < 0 || add_producer(m) < 0 || add_consumer(m) < 0 || add_share(m) < 0 || add_jobs(m) < 0)
    return KQ_NO_MODULE;
%}
