/* Batches and records.  A record is a pointer into its batch, which it keeps; keys, values and headers become Python's when they are
 * asked for. */
#include "core.h"

#include <string.h>

PyTypeObject *batch_type, *batch_iterator_type, *record_type, *bytes_view_type;

typedef struct {
  PyObject_HEAD
  Batch           *batch;
  const kq_record *at;
  PyObject        *key, *value;   /* made once */
} Record;

typedef struct {
  PyObject_HEAD
  Record     *record;
  const void *data;
  Py_ssize_t  len;
} BytesView;

static void release(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

static allocfunc record_alloc;
static freefunc  record_release;

/* --- batch --- */

PyObject *batch_new(kq_batch *raw, PyObject *key_function, PyObject *value_function) {
  Batch *batch = (Batch *)((allocfunc)PyType_GetSlot(batch_type, Py_tp_alloc))(batch_type, 0);
  if (!batch) return kq_batch_free(raw), NULL;
  batch->raw = raw;
  batch->count = (Py_ssize_t)kq_batch_count(raw);
  batch->key_function = Py_XNewRef(key_function);
  batch->value_function = Py_XNewRef(value_function);
  return (PyObject *)batch;
}

PyObject *batch_rest(Batch *batch, Py_ssize_t from) {
  Batch *rest = (Batch *)((allocfunc)PyType_GetSlot(batch_type, Py_tp_alloc))(batch_type, 0);
  if (!rest) return NULL;
  rest->raw = batch->raw;
  rest->whole = Py_NewRef(batch->whole ? batch->whole : (PyObject *)batch);
  rest->first = batch->first + from;
  rest->count = batch->count - from;
  rest->key_function = Py_XNewRef(batch->key_function);
  rest->value_function = Py_XNewRef(batch->value_function);
  return (PyObject *)rest;
}

static void batch_dealloc(PyObject *object) {
  Batch *batch = (Batch *)object;
  if (!batch->whole) kq_batch_free(batch->raw);
  Py_XDECREF(batch->whole);
  Py_XDECREF(batch->key_function);
  Py_XDECREF(batch->value_function);
  Py_XDECREF(batch->topic);
  release(object);
}

static Py_ssize_t batch_len(PyObject *object) { return ((Batch *)object)->count; }

static PyObject *batch_item(PyObject *object, Py_ssize_t index) {
  Batch *batch = (Batch *)object;
  if (index >= 0 && index < batch->count) return record_new(batch, index);
  return PyErr_Format(PyExc_IndexError, "record %zd of a batch of %zd", index, batch->count), NULL;
}

BatchIterator *batch_iterate(Batch *batch) {
  BatchIterator *iterator = (BatchIterator *)((allocfunc)PyType_GetSlot(batch_iterator_type, Py_tp_alloc))(batch_iterator_type, 0);
  if (iterator) iterator->batch = (Batch *)Py_NewRef((PyObject *)batch);
  return iterator;
}
static PyObject *batch_iter(PyObject *object) { return (PyObject *)batch_iterate((Batch *)object); }

PyObject *batch_iterator_next(PyObject *object) {
  BatchIterator *iterator = (BatchIterator *)object;
  return iterator->next < iterator->batch->count ? record_new(iterator->batch, iterator->next++) : NULL;
}

static void iterator_dealloc(PyObject *object) {
  Py_XDECREF((PyObject *)((BatchIterator *)object)->batch);
  release(object);
}

static PyObject *bytes_or_none(const void *data, size_t len) {
  return data ? PyBytes_FromStringAndSize(data, (Py_ssize_t)len) : Py_NewRef(Py_None);
}

static PyObject *decoded(PyObject *function, const void *data, size_t len) {
  PyObject *bytes = bytes_or_none(data, len);
  if (!function || !bytes || !data) return bytes;
  PyObject *result = PyObject_CallFunctionObjArgs(function, bytes, NULL);
  Py_DECREF(bytes);
  return result;
}

typedef PyObject *(*Column)(const Batch *, const kq_record *);

static PyObject *column(PyObject *object, Column of) {
  Batch *batch = (Batch *)object;
  PyObject *list = PyList_New(batch->count);
  for (Py_ssize_t i = 0; list && i < batch->count; ++i) {
    const kq_record *record = kq_batch_at(batch->raw, (size_t)(batch->first + i));
    PyObject *item = record ? of(batch, record) : PyErr_NoMemory();
    if (!item || PyList_SetItem(list, i, item) < 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *key_column(const Batch *batch, const kq_record *record) {
  return decoded(batch->key_function, record->key, record->key_len);
}
static PyObject *value_column(const Batch *batch, const kq_record *record) {
  return decoded(batch->value_function, record->value, record->value_len);
}
static PyObject *batch_keys(PyObject *object, PyObject *unused) { return (void)unused, column(object, key_column); }
static PyObject *batch_values(PyObject *object, PyObject *unused) { return (void)unused, column(object, value_column); }

/* A column of int64 as bytes, for array, numpy and pyarrow. */
static PyObject *batch_int64s(PyObject *object, PyObject *name) {
  Batch *batch = (Batch *)object;
  const char *which = text_from(name, "a column");
  if (!which) return NULL;
  PyObject *bytes = PyBytes_FromStringAndSize(NULL, batch->count * (Py_ssize_t)sizeof(int64_t));
  if (!bytes) return NULL;
  char *to = PyBytes_AsString(bytes);
  for (Py_ssize_t i = 0; i < batch->count; ++i) {
    const kq_record *record = kq_batch_at(batch->raw, (size_t)(batch->first + i));
    const int64_t number = !record ? -1 : *which == 'o' ? record->offset : *which == 't' ? record->timestamp_ms : record->partition;
    memcpy(to + (size_t)i * sizeof number, &number, sizeof number);
  }
  return bytes;
}

/* Keys or values end to end, their ends, and which are there: what Arrow builds a column from. */
static PyObject *batch_blob(PyObject *object, PyObject *name) {
  Batch *batch = (Batch *)object;
  const char *which = text_from(name, "a column");
  if (!which) return NULL;
  const bool keys = *which == 'k';
  size_t total = 0;
  for (Py_ssize_t i = 0; i < batch->count; ++i) {
    const kq_record *record = kq_batch_at(batch->raw, (size_t)(batch->first + i));
    if (!record) return PyErr_NoMemory();
    total += keys ? record->key_len : record->value_len;
  }
  PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)total);
  PyObject *ends = PyBytes_FromStringAndSize(NULL, (batch->count + 1) * (Py_ssize_t)sizeof(int64_t));
  PyObject *valid = PyBytes_FromStringAndSize(NULL, (batch->count + 7) / 8);
  PyObject *result = NULL;
  if (data && ends && valid) {
    char *to = PyBytes_AsString(data), *end_at = PyBytes_AsString(ends), *bits = PyBytes_AsString(valid);
    int64_t end = 0;
    memset(bits, 0, (size_t)(batch->count + 7) / 8);
    memcpy(end_at, &end, sizeof end);
    for (Py_ssize_t i = 0; i < batch->count; ++i) {
      const kq_record *record = kq_batch_at(batch->raw, (size_t)(batch->first + i));
      const void *bytes = keys ? record->key : record->value;
      const size_t len = keys ? record->key_len : record->value_len;
      if (len) memcpy(to + end, bytes, len);
      if (bytes) bits[i / 8] = (char)(bits[i / 8] | 1 << i % 8);
      end += (int64_t)len;
      memcpy(end_at + (size_t)(i + 1) * sizeof end, &end, sizeof end);
    }
    result = PyTuple_Pack(3, data, ends, valid);
  }
  Py_XDECREF(data);
  Py_XDECREF(ends);
  Py_XDECREF(valid);
  return result;
}

static PyObject *topic_of(Batch *batch, const char *topic) {
  if (batch->topic_at != topic) {
    Py_XDECREF(batch->topic);
    batch->topic = topic ? PyUnicode_FromString(topic) : Py_NewRef(Py_None);
    batch->topic_at = batch->topic ? topic : NULL;
  }
  return Py_XNewRef(batch->topic);
}

/* Of an event: [(topic, partition, offset, tag, exception or None), ...] */
static PyObject *batch_rows(PyObject *object, PyObject *unused) {
  (void)unused;
  Batch *batch = (Batch *)object;
  PyObject *list = PyList_New(batch->count);
  for (Py_ssize_t i = 0; list && i < batch->count; ++i) {
    const kq_record *record = kq_batch_at(batch->raw, (size_t)(batch->first + i));
    const kq_error *error = kq_batch_error(batch->raw, (size_t)(batch->first + i));
    PyObject *row = record ? Py_BuildValue("NiLKN", topic_of(batch, record->topic), (int)record->partition, (long long)record->offset,
                                           (unsigned long long)record->tag, error ? error_object(error) : Py_NewRef(Py_None))
                           : PyErr_NoMemory();
    if (!row || PyList_SetItem(list, i, row) < 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *batch_to_arrow(PyObject *object, PyObject *unused) {
  (void)unused;
  return PyObject_CallFunctionObjArgs(hooks.arrow, object, NULL);
}

static PyObject *batch_kind(PyObject *object, void *unused) {
  (void)unused;
  return PyLong_FromLong(kq_batch_kind_of(((Batch *)object)->raw));
}
static PyObject *batch_event(PyObject *object, void *unused) {
  (void)unused;
  return PyLong_FromLong(kq_batch_event(((Batch *)object)->raw));
}
static PyObject *batch_repr(PyObject *object) { return PyUnicode_FromFormat("Batch(%zd records)", ((Batch *)object)->count); }

/* --- record --- */

PyObject *record_new(Batch *batch, Py_ssize_t index) {
  const kq_record *at = kq_batch_at(batch->raw, (size_t)(batch->first + index));
  if (!at) return PyErr_NoMemory();
  Record *record = (Record *)record_alloc(record_type, 0);
  if (!record) return NULL;
  record->batch = (Batch *)Py_NewRef((PyObject *)batch);
  record->at = at;
  return (PyObject *)record;
}

const kq_record *record_of(PyObject *record) { return ((Record *)record)->at; }

static void record_dealloc(PyObject *object) {
  Record *record = (Record *)object;
  Py_XDECREF(record->key);
  Py_XDECREF(record->value);
  Py_XDECREF((PyObject *)record->batch);
  record_release(object);
  Py_DECREF((PyObject *)record_type);
}

static PyObject *record_key(PyObject *object, void *unused) {
  (void)unused;
  Record *record = (Record *)object;
  if (!record->key) record->key = decoded(record->batch->key_function, record->at->key, record->at->key_len);
  return Py_XNewRef(record->key);
}
static PyObject *record_value(PyObject *object, void *unused) {
  (void)unused;
  Record *record = (Record *)object;
  if (!record->value) record->value = decoded(record->batch->value_function, record->at->value, record->at->value_len);
  return Py_XNewRef(record->value);
}
static PyObject *record_topic(PyObject *object, void *unused) {
  (void)unused;
  return topic_of(((Record *)object)->batch, ((Record *)object)->at->topic);
}
static PyObject *record_partition(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLong(((Record *)object)->at->partition);
}
static PyObject *record_offset(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLongLong(((Record *)object)->at->offset);
}
static PyObject *record_timestamp(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLongLong(((Record *)object)->at->timestamp_ms);
}
static PyObject *record_timestamp_type(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLong(((Record *)object)->at->timestamp_type);
}
static PyObject *record_leader_epoch(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLong(((Record *)object)->at->leader_epoch);
}
static PyObject *record_delivery_count(PyObject *object, void *unused) {
  return (void)unused, PyLong_FromLong(((Record *)object)->at->delivery_count);
}
static PyObject *record_headers(PyObject *object, void *unused) {
  (void)unused;
  const kq_record *at = ((Record *)object)->at;
  PyObject *list = PyList_New((Py_ssize_t)at->header_count);
  for (size_t i = 0; list && i < at->header_count; ++i) {
    const kq_header *header = &at->headers[i];
    PyObject *pair = Py_BuildValue("NN", PyUnicode_DecodeUTF8(header->key, (Py_ssize_t)header->key_len, "surrogateescape"),
                                   bytes_or_none(header->value, header->value_len));
    if (!pair || PyList_SetItem(list, (Py_ssize_t)i, pair) < 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *view_of(PyObject *object, const void *data, size_t len) {
  if (!data) Py_RETURN_NONE;
  BytesView *view = (BytesView *)((allocfunc)PyType_GetSlot(bytes_view_type, Py_tp_alloc))(bytes_view_type, 0);
  if (!view) return NULL;
  view->record = (Record *)Py_NewRef(object);
  view->data = data;
  view->len = (Py_ssize_t)len;
  PyObject *result = PyMemoryView_FromObject((PyObject *)view);
  Py_DECREF((PyObject *)view);
  return result;
}
static PyObject *record_key_view(PyObject *object, void *unused) {
  return (void)unused, view_of(object, ((Record *)object)->at->key, ((Record *)object)->at->key_len);
}
static PyObject *record_value_view(PyObject *object, void *unused) {
  return (void)unused, view_of(object, ((Record *)object)->at->value, ((Record *)object)->at->value_len);
}

static PyObject *record_repr(PyObject *object) {
  PyObject *topic = record_topic(object, NULL), *value = topic ? record_value(object, NULL) : NULL, *text = NULL;
  const kq_record *at = ((Record *)object)->at;
  if (value) text = PyUnicode_FromFormat("Record(%U-%d @%lld, %R)", topic, (int)at->partition, (long long)at->offset, value);
  Py_XDECREF(topic);
  Py_XDECREF(value);
  return text;
}

/* --- bytes in place --- */

static int view_get(PyObject *object, Py_buffer *buffer, int flags) {
  BytesView *view = (BytesView *)object;
  return PyBuffer_FillInfo(buffer, object, (void *)view->data, view->len, 1, flags);
}
static void view_dealloc(PyObject *object) {
  Py_XDECREF((PyObject *)((BytesView *)object)->record);
  release(object);
}

/* --- the types --- */

static PyMethodDef batch_methods[] = {
    {"keys", batch_keys, METH_NOARGS, "All keys, as a list."},
    {"values", batch_values, METH_NOARGS, "All values, as a list."},
    {"to_arrow", batch_to_arrow, METH_NOARGS, "A pyarrow.Table: topic, partition, offset, timestamp, key, value."},
    {"_int64s", batch_int64s, METH_O, NULL},
    {"_blob", batch_blob, METH_O, NULL},
    {"_rows", batch_rows, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};
static PyObject *batch_offsets(PyObject *object, void *name) {
  PyObject *column_name = PyUnicode_FromString(name), *bytes = column_name ? batch_int64s(object, column_name) : NULL;
  Py_XDECREF(column_name);
  if (!bytes) return NULL;
  PyObject *view = PyMemoryView_FromObject(bytes);
  PyObject *result = view ? PyObject_CallMethod(view, "cast", "s", "q") : NULL;
  Py_DECREF(bytes);
  Py_XDECREF(view);
  return result;
}
static PyGetSetDef batch_getset[] = {
    {"offsets", batch_offsets, NULL, "All offsets: a memoryview of int64, which numpy.asarray takes as it is.", "offset"},
    {"timestamps", batch_offsets, NULL, "All timestamps in milliseconds: a memoryview of int64.", "timestamp"},
    {"partitions", batch_offsets, NULL, "The partition of each record: a memoryview of int64.", "partition"},
    {"_kind", batch_kind, NULL, NULL, NULL},
    {"_event", batch_event, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot batch_slots[] = {
    {Py_tp_doc, "Records as they came: what a consumer received at once.\n\nIt is a sequence of Record.  It holds on to the broker's response"
                " until it and its records are dropped, and counts in the consumer's memory budget (fetch.buffer.memory) as long."},
    {Py_tp_dealloc, batch_dealloc}, {Py_sq_length, batch_len}, {Py_sq_item, batch_item}, {Py_tp_iter, batch_iter},
    {Py_tp_repr, batch_repr}, {Py_tp_methods, batch_methods}, {Py_tp_getset, batch_getset}, {0, NULL}};
static PyType_Spec batch_spec = {"libkq._kq.Batch", sizeof(Batch), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 batch_slots};

static PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, iterator_dealloc}, {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, batch_iterator_next}, {0, NULL}};
static PyType_Spec iterator_spec = {"libkq._kq.BatchIterator", sizeof(BatchIterator), 0,
                                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, iterator_slots};

static PyGetSetDef record_getset[] = {
    {"topic", record_topic, NULL, "Its topic.", NULL},
    {"partition", record_partition, NULL, "Its partition.", NULL},
    {"offset", record_offset, NULL, "Its offset in the partition.", NULL},
    {"timestamp", record_timestamp, NULL, "Milliseconds since 1970.", NULL},
    {"timestamp_type", record_timestamp_type, NULL, "0: the producer's time, 1: the broker's, -1: there is none.", NULL},
    {"key", record_key, NULL, "The key: bytes or None, or what the key function made of it.", NULL},
    {"value", record_value, NULL, "The value: bytes or None, or what the value function made of it.", NULL},
    {"headers", record_headers, NULL, "[(name, bytes or None), ...], in the order of sending.", NULL},
    {"leader_epoch", record_leader_epoch, NULL, "The leader epoch of its batch; -1: not known.", NULL},
    {"delivery_count", record_delivery_count, NULL, "Share groups: how often it was delivered, 1 at first; else 0.", NULL},
    {"key_view", record_key_view, NULL, "The key where it lies: a memoryview, nothing is copied.  None: no key.", NULL},
    {"value_view", record_value_view, NULL, "The value where it lies: a memoryview, nothing is copied.  None: a tombstone.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot record_slots[] = {
    {Py_tp_doc, "A received record.\n\nIts key, value and headers become Python objects when they are first asked for."},
    {Py_tp_dealloc, record_dealloc}, {Py_tp_repr, record_repr}, {Py_tp_getset, record_getset}, {0, NULL}};
static PyType_Spec record_spec = {"libkq._kq.Record", sizeof(Record), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  record_slots};

static PyType_Slot view_slots[] = {{Py_tp_dealloc, view_dealloc}, {Py_bf_getbuffer, view_get}, {0, NULL}};
static PyType_Spec view_spec = {"libkq._kq.BytesView", sizeof(BytesView), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                view_slots};

int add_batches(PyObject *module) {
  if (!(batch_type = add_type(module, &batch_spec)) || !(batch_iterator_type = add_type(module, &iterator_spec)) ||
      !(record_type = add_type(module, &record_spec)) || !(bytes_view_type = add_type(module, &view_spec)))
    return -1;
  record_alloc = PyType_GetSlot(record_type, Py_tp_alloc);
  record_release = PyType_GetSlot(record_type, Py_tp_free);
  return 0;
}
