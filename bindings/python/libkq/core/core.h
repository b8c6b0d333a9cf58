/* core.h: the hand-written part of libkq._kq, beside what SWIG generates (kq_python.i).
 *
 * It holds what must be quick or must be safe: handles that know whether they are closed, sending, receiving, and waits that let
 * other Python threads run and notice Ctrl-C.  All of it is the limited API of Python 3.11, so one build serves all later ones.
 *
 * Threads: all state is guarded by the GIL.  It is given up around each call of libkq that may wait or takes long, and no thread of
 * libkq's, nor of ours (job.c), ever takes it. */
#ifndef KQ_PYTHON_CORE_H
#define KQ_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <kq/broker.h>
#include <kq/kq.h>
#include <pthread.h>
#include <stdbool.h>

/* A wait returns to Python so often, to let it act on signals. */
enum { slice_ms = 100 };

/* --- handle.c: producer, consumer, admin and broker have this in common. --- */

typedef enum { HANDLE_PRODUCER, HANDLE_CONSUMER, HANDLE_ADMIN, HANDLE_BROKER, HANDLE_SHARE } HandleKind;

typedef struct {
  PyObject_HEAD
  void      *raw;                 /* NULL: never opened, or freed */
  int        users;               /* calls that run without the GIL at the moment; the last one frees what was closed meanwhile */
  bool       closed;
  HandleKind kind;
  void      *abandoned;           /* job.c: waits that were given up and go on */
} Handle;

/* The handle as libkq knows it, or NULL with an exception that says what to do.  Each success is followed by leave. */
void *handle_enter(PyObject *object, HandleKind kind);
void  handle_leave(Handle *handle);
void  handle_release(Handle *handle); /* closed: freed as soon as nobody uses it */
void  handle_free(Handle *handle);    /* from tp_dealloc */

/* --- convert.c: between Python's values and libkq's. --- */

/* What the Python part has given to call back into it (libkq/_hooks.py). */
typedef struct {
  PyObject     *error;    /* (code, name, verdict, message, topic, partition) -> exception */
  PyObject     *event;    /* (consumer, batch) -> event */
  PyObject     *awaiting; /* (delivery) -> iterator, of `await delivery` */
  PyObject     *arrow;    /* (batch) -> pyarrow.Table */
  unsigned long main_thread;
} Hooks;
extern Hooks hooks;

PyObject *raise_error(kq_error *error);             /* takes the error; NULL */
PyObject *error_object(const kq_error *error);      /* an exception, not raised */
PyObject *raise_own(int code, kq_verdict verdict, const char *message);
bool      timeout_from(PyObject *seconds, int64_t *milliseconds); /* None: -1 */
int64_t   now_ms(void);                             /* monotonic */
int32_t   slice_of(int64_t deadline_ms);            /* deadline -1: none */

const char *text_from(PyObject *object, const char *what); /* a string without zeros in it; lives as long as the object */
kq_config *config_from(PyObject *dictionary);       /* NULL with an exception */
PyObject  *rows_to_python(const kq_rows *rows);     /* [(dict, exception or None), ...] */
kq_request *request_from(const char *operation, PyObject *parameters);

typedef struct {
  kq_topic_partition *at;
  size_t              count;
  PyObject           *keep; /* a tuple of what the strings live in */
} Partitions;
bool partitions_from(PyObject *sequence, bool with_offsets, Partitions *out);
void partitions_free(Partitions *partitions);

/* Bytes of a key or value: bytes, a string (as UTF-8), None, or what has a buffer.  *keep gets a new reference where the bytes live
 * in something else than `object`. */
bool bytes_from(PyObject *object, const char *what, const void **data, size_t *len, PyObject **keep);

/* --- the types --- */

typedef struct Producer Producer;
typedef struct Delivery Delivery;

typedef struct {
  PyObject_HEAD
  kq_batch   *raw;
  PyObject   *whole;                         /* the batch that this one is the rest of, which owns `raw`; NULL: it is its own */
  Py_ssize_t  first, count;
  PyObject   *key_function, *value_function; /* NULL: bytes as they are */
  const char *topic_at;                      /* the string made last: most batches are of one topic */
  PyObject   *topic;
} Batch;

/* The one that a consumer iterates with tells how far it has come. */
typedef struct {
  PyObject_HEAD
  Batch     *batch;
  Py_ssize_t next;
} BatchIterator;

extern PyTypeObject *producer_type, *delivery_type, *consumer_type, *admin_type, *broker_type, *share_type;
extern PyTypeObject *batch_type, *batch_iterator_type, *record_type, *bytes_view_type, *job_type;

PyObject *batch_new(kq_batch *raw, PyObject *key_function, PyObject *value_function); /* takes the batch, also on failure */
PyObject *batch_rest(Batch *batch, Py_ssize_t from);
BatchIterator *batch_iterate(Batch *batch);
PyObject *batch_iterator_next(PyObject *iterator); /* NULL without an exception: the end */
PyObject *record_new(Batch *batch, Py_ssize_t index);
const kq_record *record_of(PyObject *record);

bool waits_go_on(Handle *handle); /* sweeps those that have ended, which were users of the handle */

int add_handles(PyObject *module);
int add_batches(PyObject *module);
int add_producer(PyObject *module);
int add_consumer(PyObject *module);
int add_share(PyObject *module);
int add_jobs(PyObject *module);
int add_convert(PyObject *module);

PyTypeObject *add_type(PyObject *module, PyType_Spec *spec);

#endif
