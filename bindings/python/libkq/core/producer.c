/* Sending: one record, or many at once. */
#include "producer.h"

#include <string.h>

PyTypeObject *producer_type;

enum { drain_every = 512, chunk_records = 8192, headers_max = 1024 };

/* --- a record from Python's values --- */

/* What a kq_record points into. */
typedef struct {
  PyObject **objects;
  size_t     count, room;
  kq_header **header_blocks;
  size_t     header_block_count, header_block_room;
} Keep;

static bool keep(Keep *all, PyObject *object) {          /* takes the reference */
  if (!object) return true;
  if (all->count == all->room) {
    const size_t room = all->room ? all->room * 2 : 16;
    PyObject **grown = PyMem_Realloc(all->objects, room * sizeof *grown);
    if (!grown) return Py_DECREF(object), PyErr_NoMemory(), false;
    all->objects = grown;
    all->room = room;
  }
  all->objects[all->count++] = object;
  return true;
}

static void keep_drop(Keep *all) {
  for (size_t i = 0; i < all->count; ++i) Py_DECREF(all->objects[i]);
  for (size_t i = 0; i < all->header_block_count; ++i) PyMem_Free(all->header_blocks[i]);
  all->count = all->header_block_count = 0;
}

static void keep_free(Keep *all) {
  keep_drop(all);
  PyMem_Free(all->objects);
  PyMem_Free(all->header_blocks);
}

static bool payload(PyObject *object, PyObject *function, const char *what, const void **data, size_t *len, Keep *all) {
  PyObject *extra = NULL;
  if (!function || object == Py_None) {
    if (!bytes_from(object, what, data, len, &extra)) return false;
    return keep(all, extra);
  }
  PyObject *made = PyObject_CallFunctionObjArgs(function, object, NULL);
  if (!made) return false;
  const bool good = bytes_from(made, what, data, len, &extra);
  return keep(all, made) && good && keep(all, extra);
}

static kq_header *header_block(Keep *all, size_t count) {
  if (all->header_block_count == all->header_block_room) {
    const size_t room = all->header_block_room ? all->header_block_room * 2 : 16;
    kq_header **grown = PyMem_Realloc(all->header_blocks, room * sizeof *grown);
    if (!grown) return (void *)PyErr_NoMemory();
    all->header_blocks = grown;
    all->header_block_room = room;
  }
  kq_header *block = PyMem_Calloc(count + 1, sizeof *block);
  if (!block) return (void *)PyErr_NoMemory();
  return all->header_blocks[all->header_block_count++] = block;
}

static bool headers_from(PyObject *headers, kq_record *record, Keep *all) {
  if (!headers || headers == Py_None) return true;
  PyObject *items = PyDict_Check(headers) ? PyDict_Items(headers) : PySequence_List(headers);
  if (!items) return PyErr_Clear(), PyErr_Format(PyExc_TypeError, "headers are a dict or a list of (name, value), not %R", headers), false;
  if (!keep(all, items)) return false;
  const Py_ssize_t count = PyList_Size(items);
  kq_header *block = header_block(all, (size_t)count);
  if (!block) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject *pair = PyList_GetItem(items, i), *extra = NULL;
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2 || !PyUnicode_Check(PyTuple_GetItem(pair, 0)))
      return PyErr_Format(PyExc_TypeError, "a header is (name, value) with a string as its name, not %R", pair), false;
    Py_ssize_t size;
    if (!(block[i].key = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(pair, 0), &size))) return false;
    block[i].key_len = (size_t)size;
    if (!bytes_from(PyTuple_GetItem(pair, 1), "a header's value", &block[i].value, &block[i].value_len, &extra) || !keep(all, extra))
      return false;
  }
  record->headers = count ? block : NULL;
  record->header_count = (size_t)count;
  return true;
}

static bool timestamp_from(PyObject *object, int64_t *out) {
  if (!object || object == Py_None) return true;
  if (PyLong_Check(object)) {
    *out = PyLong_AsLongLong(object);
    return !(*out == -1 && PyErr_Occurred());
  }
  PyObject *seconds = PyObject_CallMethod(object, "timestamp", NULL);
  const double value = seconds ? PyFloat_AsDouble(seconds) : -1;
  Py_XDECREF(seconds);
  if (PyErr_Occurred()) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "a timestamp is milliseconds since 1970 or a datetime, not %R", object);
    return false;
  }
  *out = (int64_t)(value * 1000 + 0.5);
  return true;
}

static bool partition_number(PyObject *object, int32_t *out) {
  if (!object || object == Py_None) return true;
  const long number = PyLong_Check(object) ? PyLong_AsLong(object) : -1;
  if (PyErr_Occurred()) return false;
  if (!PyLong_Check(object)) return PyErr_Format(PyExc_TypeError, "a partition is a number, or None: by the key, not %R", object), false;
  *out = (int32_t)number;
  return true;
}

/* --- one record --- */

/* The names of send's parameters, interned, in the order of positions. */
enum { arg_topic, arg_value, arg_key, arg_partition, arg_timestamp, arg_headers, arg_notify, arg_count };
static const char *const arg_names[] = {"topic", "value", "key", "partition", "timestamp", "headers", "_notify"};
static PyObject *arg_interned[arg_count];

static int arg_of(PyObject *name) {
  for (int i = 0; i < arg_count; ++i)
    if (name == arg_interned[i]) return i;
  for (int i = 0; i < arg_count; ++i)
    if (PyUnicode_CompareWithASCIIString(name, arg_names[i]) == 0) return i;
  PyErr_Format(PyExc_TypeError, "send has no parameter %R: it takes topic, value, key, partition, timestamp and headers", name);
  return -1;
}

static bool args_from(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **out) {
  if (count > 3)
    return PyErr_SetString(PyExc_TypeError, "send(topic, value, key, ...): name what comes after the key (partition=, headers=)"), false;
  for (Py_ssize_t i = 0; i < count; ++i) out[i] = args[i];
  const Py_ssize_t named = names ? PyTuple_Size(names) : 0;
  for (Py_ssize_t i = 0; i < named; ++i) {
    const int at = arg_of(PyTuple_GetItem(names, i));
    if (at < 0) return false;
    if (at < count) return PyErr_Format(PyExc_TypeError, "send was given %s twice", arg_names[at]), false;
    out[at] = args[count + i];
  }
  if (out[arg_topic]) return true;
  PyErr_SetString(PyExc_TypeError, "send needs a topic: send(\"greetings\", b\"hello\")");
  return false;
}

static bool record_from(Producer *self, PyObject **args, kq_record *record, Keep *all) {
  return (record->topic = text_from(args[arg_topic], "a topic")) &&
         (!args[arg_value] || payload(args[arg_value], self->value_function, "value", &record->value, &record->value_len, all)) &&
         (!args[arg_key] || payload(args[arg_key], self->key_function, "key", &record->key, &record->key_len, all)) &&
         partition_number(args[arg_partition], &record->partition) && timestamp_from(args[arg_timestamp], &record->timestamp_ms) &&
         headers_from(args[arg_headers], record, all);
}

/* kq_producer_send waits slice_ms at most (max.block.ms is set so): the rest of the user's max.block.ms is counted here. */
static kq_error *send_patiently(Producer *self, kq_producer *raw, const kq_record *records, size_t count, size_t *sent) {
  const int64_t deadline = now_ms() + self->block_ms;
  for (;;) {
    size_t now = 0;
    kq_error *error;
    Py_BEGIN_ALLOW_THREADS
    error = kq_producer_send_many(raw, records + *sent, count - *sent, &now);
    Py_END_ALLOW_THREADS
    *sent += now;
    if (!error || kq_error_verdict(error) != KQ_RETRY || now_ms() >= deadline) return error;
    if (!producer_wait_step(self, 0)) return error;     /* an exception is set: it goes first */
    kq_error_free(error);
  }
}

static PyObject *send(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names, bool patient) {
  Producer *self = (Producer *)object;
  PyObject *given[arg_count] = {NULL};
  if (!args_from(args, count, names, given)) return NULL;
  kq_producer *raw = handle_enter(object, HANDLE_PRODUCER);
  if (!raw) return NULL;
  Keep all = {0};
  kq_record record = KQ_RECORD_INIT;
  Delivery *delivery = NULL;
  if (record_from(self, given, &record, &all) && (delivery = delivery_new(self, given[arg_topic], 1))) {
    if (given[arg_notify] && given[arg_notify] != Py_None) PyObject_SetAttrString((PyObject *)delivery, "_notify", given[arg_notify]);
    record.tag = delivery->slot;
    size_t sent = 0;
    kq_error *error = kq_producer_try_send(raw, &record);
    const bool later = error && kq_error_verdict(error) == KQ_RETRY;
    if (later && patient) {
      kq_error_free(error);
      error = send_patiently(self, raw, &record, 1, &sent);
    }
    if (error) {
      Py_INCREF((PyObject *)delivery);
      PyObject_SetAttrString((PyObject *)delivery, "_notify", Py_None);
      delivery_forget(delivery);
      Py_DECREF((PyObject *)delivery);
      Py_CLEAR(delivery);
      if (PyErr_Occurred()) kq_error_free(error);
      else if (later && !patient) kq_error_free(error);
      else raise_error(error);
    } else if (++self->since_drain >= drain_every && !producer_drain(self, 0)) {
      Py_CLEAR(delivery);
    }
  }
  if (all.objects || all.header_blocks) keep_free(&all);
  handle_leave(&self->handle);
  if (!delivery && !PyErr_Occurred()) Py_RETURN_NONE;   /* try_send: not now */
  return (PyObject *)delivery;
}

static PyObject *producer_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  return send(self, args, count, names, true);
}
static PyObject *producer_try_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  return send(self, args, count, names, false);
}

/* --- many --- */

typedef struct {
  Producer   *self;
  PyObject   *topic_object;
  const char *topic;       /* of items without one; NULL: each must have it */
  int32_t     partition;
  kq_record  *records;
  size_t      count, sent; /* in `records`; before it */
  Keep        all;
  Delivery   *delivery;
} Many;

static bool from_dict(Many *many, PyObject *item, kq_record *record) {
  static const int expected[] = {arg_topic, arg_value, arg_key, arg_partition, arg_timestamp, arg_headers};
  PyObject *given[arg_count] = {NULL};
  Py_ssize_t found = 0;
  for (size_t i = 0; i < sizeof expected / sizeof *expected; ++i)
    if ((given[expected[i]] = PyDict_GetItemWithError(item, arg_interned[expected[i]]))) ++found;
  if (PyErr_Occurred()) return false;
  if (found != PyDict_Size(item))
    return PyErr_Format(PyExc_ValueError, "a record as a dict has topic, value, key, partition, timestamp and headers, not others: %R", item), false;
  if (!given[arg_topic]) given[arg_topic] = many->topic_object;
  return record_from(many->self, given, record, &many->all);
}

static bool from_tuple(Many *many, PyObject *item, kq_record *record) {
  const Py_ssize_t size = PyTuple_Size(item);
  if (size < 2 || size > 4)
    return PyErr_Format(PyExc_ValueError, "a record as a tuple is (key, value), (key, value, headers) or (key, value, headers, timestamp), not %R",
                        item), false;
  return payload(PyTuple_GetItem(item, 0), many->self->key_function, "key", &record->key, &record->key_len, &many->all) &&
         payload(PyTuple_GetItem(item, 1), many->self->value_function, "value", &record->value, &record->value_len, &many->all) &&
         (size < 3 || headers_from(PyTuple_GetItem(item, 2), record, &many->all)) &&
         (size < 4 || timestamp_from(PyTuple_GetItem(item, 3), &record->timestamp_ms));
}

static bool from_item(Many *many, PyObject *item, kq_record *record) {
  const kq_record init = KQ_RECORD_INIT;
  *record = init;
  record->topic = many->topic;
  record->partition = many->partition;
  if (PyBytes_Check(item) && !many->self->value_function) {
    Py_ssize_t size;
    char *at;
    if (PyBytes_AsStringAndSize(item, &at, &size) < 0) return false;
    record->value = at;
    record->value_len = (size_t)size;
    return true;
  }
  if (Py_TYPE(item) == record_type) {            /* as it came: its bytes are not even copied into Python */
    const kq_record *from = record_of(item);
    record->key = from->key, record->key_len = from->key_len;
    record->value = from->value, record->value_len = from->value_len;
    record->headers = from->headers, record->header_count = from->header_count;
    record->timestamp_ms = from->timestamp_ms;
    if (!record->topic) record->topic = from->topic;
    return true;
  }
  if (PyTuple_Check(item)) return from_tuple(many, item, record);
  if (PyDict_Check(item) && !many->self->value_function) return from_dict(many, item, record);
  return payload(item, many->self->value_function, "value", &record->value, &record->value_len, &many->all);
}

/* Sends what was gathered, in one call of libkq. */
static bool send_chunk(Many *many) {
  size_t sent = 0;
  kq_error *error = many->count ? send_patiently(many->self, many->self->handle.raw, many->records, many->count, &sent) : NULL;
  many->sent += sent;
  const bool broken = PyErr_Occurred() != NULL;
  keep_drop(&many->all);
  many->count = 0;
  if (!error) return producer_drain(many->self, 0);
  if (broken) kq_error_free(error);
  else raise_error(error);
  return false;
}

static bool gather(Many *many, PyObject *iterator) {
  PyObject *item;
  while ((item = PyIter_Next(iterator))) {
    if (!keep(&many->all, item)) return false;
    kq_record *record = &many->records[many->count];
    if (!from_item(many, item, record)) return false;
    if (!record->topic)
      return PyErr_SetString(PyExc_TypeError, "send_many needs a topic: of all (topic=...), or of each record ({\"topic\": ..., \"value\": ...})"), false;
    record->tag = many->delivery->slot | (uint64_t)(uint32_t)(many->sent + many->count) << 32;
    ++many->count;
    if (many->count == chunk_records && !send_chunk(many)) return false;
  }
  return !PyErr_Occurred() && send_chunk(many);
}

/* The number of records is not known before the end: until then the delivery waits for one more than there are. */
static void settle_count(Many *many) {
  Delivery *delivery = many->delivery;
  if (!delivery->slot) {                         /* the producer was closed meanwhile */
    delivery->count = many->sent;
    return;
  }
  Slot *slot = &many->self->slots[delivery->slot];
  const size_t surplus = delivery->count - many->sent;
  delivery->count = many->sent;
  delivery->pending -= surplus;
  slot->pending -= surplus;
  if (slot->pending == 0) delivery_forget(delivery);
}

static PyObject *producer_send_many(PyObject *object, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"topic", "records", "partition", NULL};
  PyObject *topic, *records, *partition = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|$O", names, &topic, &records, &partition)) return NULL;
  if (PyUnicode_Check(records) || PyBytes_Check(records))
    return PyErr_SetString(PyExc_TypeError, "send_many takes a list (or any iterable) of records; for one there is send"), NULL;
  Many many = {.self = (Producer *)object, .topic_object = topic, .partition = -1};
  if (topic != Py_None && !(many.topic = text_from(topic, "a topic"))) return NULL;
  if (!partition_number(partition, &many.partition)) return NULL;
  PyObject *iterator = PyObject_GetIter(records);
  if (!iterator) return NULL;
  if (!handle_enter(object, HANDLE_PRODUCER)) return Py_DECREF(iterator), NULL;
  many.records = PyMem_Malloc(chunk_records * sizeof *many.records);
  many.delivery = many.records ? delivery_new(many.self, topic, SIZE_MAX / 2) : NULL;
  bool good = false;
  if (many.delivery) {
    good = gather(&many, iterator);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    settle_count(&many);
    if (value && type) {
      PyErr_NormalizeException(&type, &value, &traceback);
      PyObject *sent = PyLong_FromSize_t(many.sent);
      if (sent && PyObject_TypeCheck(value, (PyTypeObject *)PyExc_Exception)) PyObject_SetAttrString(value, "sent", sent);
      Py_XDECREF(sent);
      PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
  } else if (!PyErr_Occurred()) {
    PyErr_NoMemory();
  }
  keep_free(&many.all);
  PyMem_Free(many.records);
  handle_leave(&many.self->handle);
  Py_DECREF(iterator);
  if (good) return (PyObject *)many.delivery;
  Py_XDECREF((PyObject *)many.delivery);
  return NULL;
}

/* --- the rest --- */

static PyObject *producer_poll(PyObject *object, PyObject *args) {
  PyObject *seconds = Py_None;
  int64_t   timeout;
  if (!PyArg_ParseTuple(args, "|O", &seconds) || !timeout_from(seconds, &timeout)) return NULL;
  if (!handle_enter(object, HANDLE_PRODUCER)) return NULL;
  Producer *self = (Producer *)object;
  const bool good = producer_drain(self, timeout < 0 || timeout > slice_ms ? slice_ms : (int32_t)timeout) && PyErr_CheckSignals() == 0;
  handle_leave(&self->handle);
  if (!good) return NULL;
  Py_RETURN_NONE;
}

/* Deliveries with a _notify that are done, and no longer the producer's. */
static PyObject *producer_take_ready(PyObject *object, PyObject *unused) {
  (void)unused;
  Producer *self = (Producer *)object;
  PyObject *ready = self->ready ? self->ready : PyList_New(0);
  self->ready = PyList_New(0);
  return ready;
}

/* (first error, how many) of records whose deliveries nobody held; then it is forgotten. */
static PyObject *producer_take_lost(PyObject *object, PyObject *unused) {
  (void)unused;
  Producer *self = (Producer *)object;
  PyObject *result = Py_BuildValue("On", self->lost ? self->lost : Py_None, (Py_ssize_t)self->lost_count);
  Py_CLEAR(self->lost);
  self->lost_count = 0;
  return result;
}

/* After close: the last deliveries, then the handle goes. */
static PyObject *producer_release(PyObject *object, PyObject *unused) {
  (void)unused;
  Producer *self = (Producer *)object;
  if (self->handle.raw && !self->handle.closed) producer_drain(self, 0);
  PyErr_Clear();
  handle_release(&self->handle);
  producer_settle(self);
  Py_RETURN_NONE;
}

static PyObject *producer_closed(PyObject *object, void *unused) {
  (void)unused;
  Handle *handle = (Handle *)object;
  return PyBool_FromLong(handle->closed || !handle->raw);
}

static bool function_from(PyObject *object, const char *what, PyObject **out) {
  if (!object || object == Py_None) return true;
  if (!PyCallable_Check(object)) return PyErr_Format(PyExc_TypeError, "%s is a function of one value, such as json.dumps, not %R", what, object), false;
  *out = Py_NewRef(object);
  return true;
}

/* (config, key_function, value_function, max.block.ms) */
static int producer_init(PyObject *object, PyObject *args, PyObject *kwargs) {
  Producer *self = (Producer *)object;
  PyObject *config_dict, *key = NULL, *value = NULL;
  long long block_ms = 60000;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_SetString(PyExc_TypeError, "no keyword arguments here"), -1;
  if (self->handle.raw || self->handle.closed)
    return PyErr_SetString(PyExc_RuntimeError, "__init__ was called a second time: make a new object instead"), -1;
  if (!PyArg_ParseTuple(args, "O|OOL", &config_dict, &key, &value, &block_ms)) return -1;
  if (!function_from(key, "key", &self->key_function) || !function_from(value, "value", &self->value_function)) return -1;
  kq_config *config = config_from(config_dict);
  if (!config) return -1;
  kq_producer *raw = NULL;
  kq_error *error;
  Py_BEGIN_ALLOW_THREADS
  error = kq_producer_new(config, &raw);
  Py_END_ALLOW_THREADS
  kq_config_free(config);
  if (error) return raise_error(error), -1;
  self->handle.kind = HANDLE_PRODUCER;
  self->handle.raw = raw;
  self->block_ms = block_ms;
  return 0;
}

static PyObject *producer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  Producer *self = (Producer *)PyType_GenericNew(type, args, kwargs);
  if (!self) return NULL;
  pthread_mutex_init(&self->mutex, NULL);
  pthread_cond_init(&self->polled, NULL);
  return (PyObject *)self;
}

static void producer_dealloc(PyObject *object) {
  Producer *self = (Producer *)object;
  PyTypeObject *type = Py_TYPE(object);
  handle_free(&self->handle);
  pthread_cond_destroy(&self->polled);
  pthread_mutex_destroy(&self->mutex);
  PyMem_Free(self->slots);
  Py_XDECREF(self->key_function);
  Py_XDECREF(self->value_function);
  Py_XDECREF(self->ready);
  Py_XDECREF(self->lost);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

#define FAST(function) (PyCFunction)(void (*)(void))function

static PyMethodDef methods[] = {
    {"send", FAST(producer_send), METH_FASTCALL | METH_KEYWORDS,
     "send(topic, value=None, key=None, *, partition=None, timestamp=None, headers=None)\n\n"
     "Sends a record and gives its Delivery, without waiting for it."},
    {"try_send", FAST(producer_try_send), METH_FASTCALL | METH_KEYWORDS,
     "The same, but None where send would wait for room or for the topic."},
    {"send_many", FAST(producer_send_many), METH_VARARGS | METH_KEYWORDS,
     "send_many(topic, records, *, partition=None)\n\n"
     "Sends many records with few calls and gives one Delivery for all.  A record is a value, (key, value), (key, value, headers),\n"
     "(key, value, headers, timestamp), a dict of send's parameters, or a received Record."},
    {"_poll", producer_poll, METH_VARARGS, NULL},
    {"_take_ready", producer_take_ready, METH_NOARGS, NULL},
    {"_take_lost", producer_take_lost, METH_NOARGS, NULL},
    {"_release", producer_release, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef getset[] = {{"closed", producer_closed, NULL, "Whether it was closed.", NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_new, producer_new}, {Py_tp_init, producer_init}, {Py_tp_dealloc, producer_dealloc},
                              {Py_tp_methods, methods}, {Py_tp_getset, getset}, {0, NULL}};
static PyType_Spec spec = {"libkq._kq.Producer", sizeof(Producer), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

int add_producer(PyObject *module) {
  for (int i = 0; i < arg_count; ++i)
    if (!(arg_interned[i] = PyUnicode_InternFromString(arg_names[i]))) return -1;
  if (!(producer_type = add_type(module, &spec))) return -1;
  return add_deliveries(module);
}
