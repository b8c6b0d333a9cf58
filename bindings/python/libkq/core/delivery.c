/* Deliveries: what came of records, as futures. */
#include "producer.h"

#include <errno.h>
#include <time.h>

PyTypeObject *delivery_type;
static allocfunc delivery_alloc;
static freefunc  delivery_release;

/* --- slots --- */

static bool slots_grow(Producer *producer) {
  const uint32_t count = producer->slot_count ? producer->slot_count * 2 : 1024;
  Slot *slots = count <= (1u << 30) ? PyMem_Realloc(producer->slots, count * sizeof *slots) : NULL;
  if (!slots) return PyErr_NoMemory(), false;
  const uint32_t first = producer->slot_count ? producer->slot_count : 1;
  for (uint32_t i = first; i < count; ++i) slots[i] = (Slot){NULL, 0, i + 1 < count ? i + 1 : 0};
  producer->slots = slots;
  producer->slot_count = count;
  producer->free_slot = first;
  return true;
}

Delivery *delivery_new(Producer *producer, PyObject *topic, size_t count) {
  if (!producer->free_slot && !slots_grow(producer)) return NULL;
  Delivery *delivery = (Delivery *)delivery_alloc(delivery_type, 0);
  if (!delivery) return NULL;
  delivery->producer = (Producer *)Py_NewRef((PyObject *)producer);
  delivery->topic = Py_NewRef(topic);
  delivery->count = delivery->pending = count;
  delivery->partition = -1;
  delivery->offset = delivery->timestamp_ms = -1;
  delivery->slot = producer->free_slot;
  Slot *slot = &producer->slots[delivery->slot];
  producer->free_slot = slot->next_free;
  *slot = (Slot){delivery, count, 0};
  return delivery;
}

static void slot_free(Producer *producer, uint32_t index) {
  producer->slots[index] = (Slot){NULL, 0, producer->free_slot};
  producer->free_slot = index;
}

void delivery_forget(Delivery *delivery) {
  if (!delivery->slot) return;
  slot_free(delivery->producer, delivery->slot);
  delivery->slot = 0;
  delivery->pending = 0;
}

/* --- what poll tells --- */

static void note_failure(Delivery *delivery, size_t index, PyObject *error) {
  ++delivery->failed;
  if (!delivery->error) delivery->error = Py_NewRef(error);
  if (delivery->count == 1) return;
  if (!delivery->failures) delivery->failures = PyList_New(0);
  PyObject *pair = delivery->failures ? Py_BuildValue("nO", (Py_ssize_t)index, error) : NULL;
  if (pair) PyList_Append(delivery->failures, pair);
  Py_XDECREF(pair);
}

static void done(Producer *producer, Delivery *delivery) {
  delivery->slot = 0;
  if (!delivery->notify) return;
  if (!producer->ready) producer->ready = PyList_New(0);
  if (producer->ready) PyList_Append(producer->ready, (PyObject *)delivery);
  Py_DECREF((PyObject *)delivery);               /* the table held it for its notify */
}

/* `tag` is the slot, and above it the number of the record within a send_many. */
static void delivered(Producer *producer, const kq_record *record, const kq_error *error) {
  const uint32_t index = (uint32_t)record->tag;
  if (index == 0 || index >= producer->slot_count || !producer->slots[index].pending) return;
  Slot *slot = &producer->slots[index];
  Delivery *delivery = slot->delivery;
  const bool last = --slot->pending == 0;
  if (last) slot_free(producer, index);
  PyObject *trouble = error ? error_object(error) : NULL;
  if (error && !trouble) PyErr_Clear();
  if (!delivery) {
    if (error) ++producer->lost_count;
    if (trouble && !producer->lost) producer->lost = Py_NewRef(trouble);
  } else {
    --delivery->pending;
    if (trouble) note_failure(delivery, (size_t)(record->tag >> 32), trouble);
    if (!error) {
      delivery->partition = record->partition;
      delivery->offset = record->offset;
      delivery->timestamp_ms = record->timestamp_ms;
    } else if (delivery->partition < 0) {
      delivery->partition = record->partition;
    }
    if (last) done(producer, delivery);
  }
  Py_XDECREF(trouble);
}

/* Waits for the thread that polls already; it may find what this one waits for. */
static void wait_for_other(Producer *producer, int32_t timeout_ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += (long)(timeout_ms < 10 ? timeout_ms : 10) * 1000000;
  if (until.tv_nsec >= 1000000000) until.tv_sec += 1, until.tv_nsec -= 1000000000;
  Py_BEGIN_ALLOW_THREADS
  pthread_mutex_lock(&producer->mutex);
  pthread_cond_timedwait(&producer->polled, &producer->mutex, &until);
  pthread_mutex_unlock(&producer->mutex);
  Py_END_ALLOW_THREADS
}

bool producer_drain(Producer *producer, int32_t timeout_ms) {
  producer->since_drain = 0;
  if (producer->polling) {
    if (timeout_ms > 0) wait_for_other(producer, timeout_ms);
    return true;
  }
  kq_producer *raw = producer->handle.raw;
  if (!raw) return true;
  kq_batch *batch = NULL;
  kq_error *error;
  do {
    producer->polling = true;
    ++producer->handle.users;
    Py_BEGIN_ALLOW_THREADS
    error = kq_producer_poll(raw, timeout_ms, &batch);
    if (batch) kq_batch_at(batch, 0);            /* spells the deliveries out, here rather than under the GIL */
    Py_END_ALLOW_THREADS
    producer->polling = false;
    const size_t count = error ? 0 : kq_batch_count(batch);
    for (size_t i = 0; i < count; ++i) {
      const kq_record *record = kq_batch_at(batch, i);
      if (record) delivered(producer, record, kq_batch_error(batch, i));
    }
    kq_batch_free(batch);
    handle_leave(&producer->handle);
    timeout_ms = 0;                              /* what else there is */
  } while (!error && batch && producer->handle.raw);
  pthread_mutex_lock(&producer->mutex);
  pthread_cond_broadcast(&producer->polled);
  pthread_mutex_unlock(&producer->mutex);
  if (!error) return !PyErr_Occurred();
  raise_error(error);
  return false;
}

bool producer_wait_step(Producer *producer, int32_t timeout_ms) {
  return producer_drain(producer, timeout_ms) && PyErr_CheckSignals() == 0;
}

void producer_settle(Producer *producer) {
  PyObject *error = NULL;
  for (uint32_t i = 1; i < producer->slot_count; ++i) {
    Slot *slot = &producer->slots[i];
    if (!slot->pending) continue;
    Delivery *delivery = slot->delivery;
    slot_free(producer, i);
    if (!delivery) continue;
    if (!error)
      error = PyObject_CallFunction(hooks.error, "isiszi", KQ_ERR_CLOSED, "CLOSED", (int)KQ_REFUSED,
                                    "the producer was closed before this was acknowledged", NULL, -1);
    if (error) note_failure(delivery, 0, error);
    else PyErr_Clear();
    delivery->pending = 0;
    done(producer, delivery);
  }
  Py_XDECREF(error);
}

/* --- the type --- */

static void delivery_dealloc(PyObject *object) {
  Delivery *delivery = (Delivery *)object;
  if (delivery->slot) delivery->producer->slots[delivery->slot].delivery = NULL;
  Py_XDECREF(delivery->topic);
  Py_XDECREF(delivery->error);
  Py_XDECREF(delivery->failures);
  Py_XDECREF(delivery->notify);
  Py_XDECREF(delivery->message);
  Py_XDECREF((PyObject *)delivery->producer);
  delivery_release(object);
  Py_DECREF((PyObject *)delivery_type);
}

static PyObject *delivery_wait(PyObject *object, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"timeout", NULL};
  Delivery *delivery = (Delivery *)object;
  PyObject *seconds = Py_None;
  int64_t   timeout;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O", names, &seconds) || !timeout_from(seconds, &timeout)) return NULL;
  const int64_t deadline = timeout < 0 ? -1 : now_ms() + timeout;
  while (delivery->pending) {
    const int32_t slice = slice_of(deadline);
    if (delivery->producer->handle.closed && !delivery->producer->handle.raw) producer_settle(delivery->producer);
    else if (!producer_wait_step(delivery->producer, slice)) return NULL;
    if (delivery->pending && slice == 0)
      return raise_own(KQ_ERR_TIMED_OUT, KQ_RETRY, "not acknowledged yet: wait longer, or find out by done()");
  }
  if (!delivery->error) return Py_NewRef(object);
  PyErr_SetObject((PyObject *)Py_TYPE(delivery->error), delivery->error);
  return NULL;
}

static PyObject *delivery_exception(PyObject *object, PyObject *args, PyObject *kwargs) {
  PyObject *result = delivery_wait(object, args, kwargs);
  if (result) {
    Py_DECREF(result);
    Py_RETURN_NONE;
  }
  Delivery *delivery = (Delivery *)object;
  if (delivery->pending || !delivery->error || !PyErr_ExceptionMatches((PyObject *)Py_TYPE(delivery->error))) return NULL;
  PyErr_Clear();
  return Py_NewRef(delivery->error);
}

static PyObject *delivery_done(PyObject *object, PyObject *unused) {
  return (void)unused, PyBool_FromLong(((Delivery *)object)->pending == 0);
}

static PyObject *delivery_await(PyObject *object) { return PyObject_CallFunctionObjArgs(hooks.awaiting, object, NULL); }

static PyObject *delivery_repr(PyObject *object) {
  Delivery *delivery = (Delivery *)object;
  if (delivery->pending)
    return PyUnicode_FromFormat("<Delivery to %S: %zd of %zd pending>", delivery->topic, (Py_ssize_t)delivery->pending,
                                (Py_ssize_t)delivery->count);
  if (delivery->error) return PyUnicode_FromFormat("<Delivery to %S failed: %S>", delivery->topic, delivery->error);
  if (delivery->count != 1) return PyUnicode_FromFormat("%S: %zd records", delivery->topic, (Py_ssize_t)delivery->count);
  if (delivery->offset < 0) return PyUnicode_FromFormat("%S-%d", delivery->topic, (int)delivery->partition);
  return PyUnicode_FromFormat("%S-%d @%lld", delivery->topic, (int)delivery->partition, (long long)delivery->offset);
}

static PyObject *object_or_none(PyObject *object) { return Py_NewRef(object ? object : Py_None); }
static PyObject *get_topic(PyObject *object, void *unused) { return (void)unused, Py_NewRef(((Delivery *)object)->topic); }
static PyObject *get_partition(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLong(((Delivery *)object)->partition);
}
static PyObject *get_offset(PyObject *object, void *unused) { return (void)unused, PyLong_FromLongLong(((Delivery *)object)->offset); }
static PyObject *get_timestamp(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLongLong(((Delivery *)object)->timestamp_ms);
}
static PyObject *get_count(PyObject *object, void *unused) { return (void)unused, PyLong_FromSize_t(((Delivery *)object)->count); }
static PyObject *get_error(PyObject *object, void *unused) { return (void)unused, object_or_none(((Delivery *)object)->error); }
static PyObject *get_failures(PyObject *object, void *unused) {
  Delivery *delivery = (Delivery *)object;
  (void)unused;
  if (delivery->failures) return PyList_GetSlice(delivery->failures, 0, PyList_Size(delivery->failures));
  if (delivery->error && delivery->count == 1) return Py_BuildValue("[(iO)]", 0, delivery->error);
  return PyList_New(0);
}
static PyObject *get_notify(PyObject *object, void *unused) { return (void)unused, object_or_none(((Delivery *)object)->notify); }
static PyObject *get_producer(PyObject *object, void *unused) {
  return (void)unused, Py_NewRef((PyObject *)((Delivery *)object)->producer);
}

static int set_notify(PyObject *object, PyObject *value, void *unused) {
  (void)unused;
  Delivery *delivery = (Delivery *)object;
  if (value == Py_None) value = NULL;
  PyObject *before = delivery->notify;
  delivery->notify = Py_XNewRef(value);
  if (delivery->pending) {                       /* the table holds what is to be notified */
    if (value && !before) Py_INCREF(object);
    if (!value && before) Py_DECREF(object);
  }
  Py_XDECREF(before);
  return 0;
}

static PyObject *get_message(PyObject *object, void *unused) { return (void)unused, object_or_none(((Delivery *)object)->message); }
static int set_message(PyObject *object, PyObject *value, void *unused) {
  (void)unused;
  Delivery *delivery = (Delivery *)object;
  PyObject *before = delivery->message;
  delivery->message = Py_XNewRef(value);
  Py_XDECREF(before);
  return 0;
}

static PyMethodDef methods[] = {
    {"wait", (PyCFunction)(void (*)(void))delivery_wait, METH_VARARGS | METH_KEYWORDS,
     "wait(timeout=None)\n\nWaits until the record is acknowledged, and gives this delivery; raises what it failed with."},
    {"result", (PyCFunction)(void (*)(void))delivery_wait, METH_VARARGS | METH_KEYWORDS, "The same as wait."},
    {"exception", (PyCFunction)(void (*)(void))delivery_exception, METH_VARARGS | METH_KEYWORDS,
     "exception(timeout=None)\n\nWaits likewise, and gives what it failed with, or None."},
    {"done", delivery_done, METH_NOARGS, "Whether the outcome is known.  Asks nobody: wait, flush and later sends find out."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef getset[] = {
    {"topic", get_topic, NULL, "The topic.", NULL},
    {"partition", get_partition, NULL, "The partition; -1: not known yet.  Of several records, the last one's.", NULL},
    {"offset", get_offset, NULL, "The offset; -1: not known.  Of several records, the last one's.", NULL},
    {"timestamp", get_timestamp, NULL, "Milliseconds since 1970.", NULL},
    {"count", get_count, NULL, "How many records this is about.", NULL},
    {"error", get_error, NULL, "What it (or the first that did) failed with; None: nothing, so far.", NULL},
    {"failures", get_failures, NULL, "[(index of the record, error), ...]", NULL},
    {"_notify", get_notify, set_notify, NULL, NULL},
    {"_message", get_message, set_message, NULL, NULL},
    {"_producer", get_producer, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {
    {Py_tp_doc, "What becomes of a sent record: a future.\n\nwait() or `await` it; once done, it tells partition and offset."},
    {Py_tp_dealloc, delivery_dealloc}, {Py_tp_repr, delivery_repr}, {Py_tp_methods, methods}, {Py_tp_getset, getset},
    {Py_am_await, delivery_await}, {0, NULL}};
static PyType_Spec spec = {"libkq._kq.Delivery", sizeof(Delivery), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

int add_deliveries(PyObject *module) {
  if (!(delivery_type = add_type(module, &spec))) return -1;
  delivery_alloc = PyType_GetSlot(delivery_type, Py_tp_alloc);
  delivery_release = PyType_GetSlot(delivery_type, Py_tp_free);
  return 0;
}
