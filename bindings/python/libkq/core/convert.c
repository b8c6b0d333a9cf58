#include "core.h"

#include <string.h>
#include <time.h>

Hooks hooks;

/* --- errors --- */

PyObject *error_object(const kq_error *error) {
  return PyObject_CallFunction(hooks.error, "isiszi", (int)kq_error_code(error), kq_error_name(error), (int)kq_error_verdict(error),
                               kq_error_message(error), kq_error_topic(error), (int)kq_error_partition(error));
}

static void raise_object(PyObject *exception) {
  if (!exception) return;
  PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
  Py_DECREF(exception);
}

PyObject *raise_error(kq_error *error) {
  raise_object(error_object(error));
  kq_error_free(error);
  return NULL;
}

PyObject *raise_own(int code, kq_verdict verdict, const char *message) {
  raise_object(PyObject_CallFunction(hooks.error, "isiszi", code, kq_code_name(code), (int)verdict, message, NULL, -1));
  return NULL;
}

/* --- time --- */

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool timeout_from(PyObject *seconds, int64_t *milliseconds) {
  *milliseconds = -1;
  if (!seconds || seconds == Py_None) return true;
  const double value = PyFloat_AsDouble(seconds);
  if (value == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "a timeout is a number of seconds, or None to wait as long as it takes, not %R", seconds);
    return false;
  }
  if (!(value >= 0)) {
    PyErr_Format(PyExc_ValueError, "a timeout cannot be %R: give seconds from 0 on, or None to wait as long as it takes", seconds);
    return false;
  }
  *milliseconds = value > 2000000 ? 2000000000 : (int64_t)(value * 1000 + 0.999);
  return true;
}

int32_t slice_of(int64_t deadline_ms) {
  if (deadline_ms < 0) return slice_ms;
  const int64_t left = deadline_ms - now_ms();
  return left <= 0 ? 0 : left < slice_ms ? (int32_t)left : slice_ms;
}

/* --- text --- */

const char *text_from(PyObject *object, const char *what) {
  Py_ssize_t  size = 0;
  const char *text = PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, &size) : NULL;
  if (!text) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "%s must be a string, not %R", what, object);
    return NULL;
  }
  if (strlen(text) == (size_t)size) return text;
  PyErr_Format(PyExc_ValueError, "%s must not have a zero character in it: %R", what, object);
  return NULL;
}

/* --- configuration --- */

static bool config_put(kq_config *config, PyObject *key, PyObject *value) {
  const char *name = text_from(key, "a configuration key");
  if (!name) return false;
  PyObject *text = NULL;
  if (value == Py_True || value == Py_False)
    text = PyUnicode_FromString(value == Py_True ? "true" : "false");
  else if (PyUnicode_Check(value) || PyLong_Check(value) || PyFloat_Check(value))
    text = PyObject_Str(value);
  else if (PyList_Check(value) || PyTuple_Check(value)) {
    PyObject *comma = PyUnicode_FromString(",");
    text = comma ? PyUnicode_Join(comma, value) : NULL;
    Py_XDECREF(comma);
  } else
    PyErr_Format(PyExc_TypeError, "%s=%R: a configuration value is a string, a number, a bool or a list of strings", name, value);
  if (!text) return false;
  const char *utf8 = text_from(text, name);
  kq_error   *error = utf8 ? kq_config_set(config, name, utf8) : NULL;
  Py_DECREF(text);
  if (error) raise_error(error);
  return utf8 && !error;
}

kq_config *config_from(PyObject *dictionary) {
  if (!PyDict_Check(dictionary))
    return PyErr_Format(PyExc_TypeError, "a configuration is a dict such as {\"linger.ms\": 5}, not %R", dictionary), NULL;
  kq_config *config;
  kq_error  *error = kq_config_new(&config);
  if (error) return (void *)raise_error(error);
  PyObject  *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dictionary, &at, &key, &value))
    if (!config_put(config, key, value)) {
      kq_config_free(config);
      return NULL;
    }
  return config;
}

static PyObject *config_file(PyObject *module, PyObject *path) {
  (void)module;
  PyObject *bytes = NULL;
  if (!PyUnicode_FSConverter(path, &bytes)) return NULL;
  kq_config *config = NULL;
  kq_error  *error = kq_config_new(&config);
  if (!error) error = kq_config_load(config, PyBytes_AsString(bytes));
  Py_DECREF(bytes);
  PyObject *result = error ? raise_error(error) : PyDict_New();
  for (size_t i = 0; result && i < kq_config_count(config); ++i) {
    PyObject *value = PyUnicode_FromString(kq_config_value_at(config, i));
    if (!value || PyDict_SetItemString(result, kq_config_key_at(config, i), value) < 0) Py_CLEAR(result);
    Py_XDECREF(value);
  }
  kq_config_free(config);
  return result;
}

/* --- bytes --- */

bool bytes_from(PyObject *object, const char *what, const void **data, size_t *len, PyObject **keep) {
  *keep = NULL;
  *data = NULL;
  *len = 0;
  if (object == Py_None) return true;
  Py_ssize_t size = 0;
  if (PyBytes_Check(object)) {
    char *at;
    if (PyBytes_AsStringAndSize(object, &at, &size) < 0) return false;
    *data = at;
  } else if (PyUnicode_Check(object)) {
    if (!(*data = PyUnicode_AsUTF8AndSize(object, &size))) return false;
  } else if (PyObject_CheckBuffer(object)) {
    if (!(*keep = PyBytes_FromObject(object))) return false;
    *data = PyBytes_AsString(*keep);
    size = PyBytes_Size(*keep);
  } else {
    PyErr_Format(PyExc_TypeError, "%s is %R: give bytes, a string or None, or set a serializer (%s=json.dumps, for instance)", what,
                 (PyObject *)Py_TYPE(object), what);
    return false;
  }
  *len = (size_t)size;
  return true;
}

/* --- partitions --- */

void partitions_free(Partitions *partitions) {
  PyMem_Free(partitions->at);
  Py_XDECREF(partitions->keep);
  partitions->at = NULL;
  partitions->keep = NULL;
}

static bool partition_from(PyObject *item, bool with_offset, kq_topic_partition *out, PyObject **keep) {
  static const char form[] = "a partition is (topic, partition%s), not %R";
  PyObject *tuple = PySequence_Tuple(item);
  if (!tuple) return PyErr_Clear(), PyErr_Format(PyExc_TypeError, form, with_offset ? ", offset" : "", item), false;
  PyObject  *topic, *metadata = NULL;
  long long  offset = KQ_DEFAULT;
  if (PyUnicode_Check(item) || !PyArg_ParseTuple(tuple, "Ui|LOi", &topic, &out->partition, &offset, &metadata, &out->leader_epoch)) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, form, with_offset ? ", offset" : "", item);
    Py_DECREF(tuple);
    return false;
  }
  out->topic = text_from(topic, "a topic");
  if (with_offset) out->offset = offset;
  out->metadata = metadata && metadata != Py_None ? text_from(metadata, "a commit's metadata") : NULL;
  *keep = tuple;                                 /* its strings keep their UTF-8 */
  return out->topic && !PyErr_Occurred();
}

bool partitions_from(PyObject *sequence, bool with_offsets, Partitions *out) {
  const kq_topic_partition init = KQ_TOPIC_PARTITION_INIT;
  *out = (Partitions){NULL, 0, NULL};
  if (sequence == Py_None) return true;
  PyObject *items = PyUnicode_Check(sequence) ? NULL : PySequence_Tuple(sequence);
  if (!items) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "this needs a list of (topic, partition, offset), not %R", sequence);
    return false;
  }
  const Py_ssize_t count = PyTuple_Size(items);
  out->keep = PyTuple_New(count);
  out->at = PyMem_Calloc((size_t)count + 1, sizeof *out->at);
  bool good = out->keep && out->at;
  for (Py_ssize_t i = 0; good && i < count; ++i) {
    PyObject *keep = NULL;
    out->at[i] = init;
    good = partition_from(PyTuple_GetItem(items, i), with_offsets, &out->at[i], &keep);
    if (keep) PyTuple_SetItem(out->keep, i, keep);
  }
  out->count = (size_t)count;
  Py_DECREF(items);
  if (!good) {
    if (!PyErr_Occurred()) PyErr_NoMemory();
    partitions_free(out);
  }
  return good;
}

/* --- administration --- */

/* [(name, value), ..., None, (name, value), ...]: None starts the next item. */
kq_request *request_from(const char *operation, PyObject *parameters) {
  kq_request *request;
  kq_error   *error = kq_request_new(operation, &request);
  if (error) return (void *)raise_error(error);
  const Py_ssize_t count = PyList_Size(parameters);
  for (Py_ssize_t i = 0; i < count && !error && !PyErr_Occurred(); ++i) {
    PyObject *item = PyList_GetItem(parameters, i), *value;
    const char *name;
    if (item == Py_None) {
      error = kq_request_item(request);
    } else if (PyArg_ParseTuple(item, "sO", &name, &value)) {
      if (PyUnicode_Check(value)) {
        const char *text = text_from(value, name);
        if (text) error = kq_request_string(request, name, text);
      } else if (PyLong_Check(value)) {
        const long long number = PyLong_AsLongLong(value);
        if (!PyErr_Occurred()) error = kq_request_int64(request, name, number);
      } else if (PyBytes_Check(value)) {
        error = kq_request_bytes(request, name, PyBytes_AsString(value), (size_t)PyBytes_Size(value));
      } else {
        PyErr_Format(PyExc_TypeError, "%s: %s is a string, a number or bytes, not %R", operation, name, value);
      }
    }
  }
  if (error) raise_error(error);
  if (!PyErr_Occurred()) return request;
  kq_request_free(request);
  return NULL;
}

static PyObject *row_list(const kq_rows *rows, const char *operation, const char *prefix);

static PyObject *cell(const kq_rows *rows, size_t row, const char *operation, const char *prefix, const char *column, char type) {
  if (type == 's') {
    const char *text = kq_rows_string(rows, row, column);
    return text ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace") : Py_NewRef(Py_None);
  }
  if (type == 'i') {
    const int64_t number = kq_rows_int64(rows, row, column);
    return number == INT64_MIN ? Py_NewRef(Py_None) : PyLong_FromLongLong(number);
  }
  if (type == 'b') {
    size_t      len = 0;
    const void *bytes = kq_rows_bytes(rows, row, column, &len);
    return bytes ? PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len) : Py_NewRef(Py_None);
  }
  const kq_rows *nested = kq_rows_nested(rows, row, column);
  if (!nested) return Py_NewRef(Py_None);
  char inner[256];
  PyOS_snprintf(inner, sizeof inner, "%s%s.", prefix, column);
  return row_list(nested, operation, inner);
}

static PyObject *row_dict(const kq_rows *rows, size_t row, const char *operation, const char *prefix) {
  PyObject *result = PyDict_New();
  const kq_field *field;
  for (size_t i = 0; result && (field = kq_operation_column(operation, i)); ++i) {
    const size_t skip = strlen(prefix);
    if (strncmp(field->name, prefix, skip) != 0 || strchr(field->name + skip, '.')) continue;
    PyObject *value = cell(rows, row, operation, prefix, field->name + skip, field->type);
    if (!value || PyDict_SetItemString(result, field->name + skip, value) < 0) Py_CLEAR(result);
    Py_XDECREF(value);
  }
  return result;
}

/* A consumer's rows are of no operation: these are their columns. */
static PyObject *consumer_row(const kq_rows *rows, size_t row) {
  static const struct { const char *name; char type; } columns[] = {
      {"topic", 's'}, {"partition", 'i'}, {"position", 'i'}, {"end_offset", 'i'}, {"lag", 'i'}, {"paused", 'i'}, {"offset", 'i'},
      {"leader_epoch", 'i'}, {"metadata", 's'}};
  PyObject *result = PyDict_New();
  for (size_t i = 0; result && i < sizeof columns / sizeof *columns; ++i) {
    PyObject *value = cell(rows, row, "", "", columns[i].name, columns[i].type);
    if (!value || (value != Py_None && PyDict_SetItemString(result, columns[i].name, value) < 0)) Py_CLEAR(result);
    Py_XDECREF(value);
  }
  return result;
}

static PyObject *row_list(const kq_rows *rows, const char *operation, const char *prefix) {
  const bool known = kq_operation_column(operation, 0) != NULL;
  const size_t count = kq_rows_count(rows);
  PyObject *result = PyList_New((Py_ssize_t)count);
  for (size_t row = 0; result && row < count; ++row) {
    PyObject *values = known ? row_dict(rows, row, operation, prefix) : consumer_row(rows, row);
    const kq_error *error = kq_rows_error(rows, row);
    PyObject *trouble = error ? error_object(error) : Py_NewRef(Py_None);
    PyObject *pair = values && trouble ? PyTuple_Pack(2, values, trouble) : NULL;
    Py_XDECREF(values);
    Py_XDECREF(trouble);
    if (!pair || PyList_SetItem(result, (Py_ssize_t)row, pair) < 0) Py_CLEAR(result);
  }
  return result;
}

PyObject *rows_to_python(const kq_rows *rows) { return row_list(rows, kq_rows_operation(rows), ""); }

/* --- the module's own functions --- */

static PyObject *set_hooks(PyObject *module, PyObject *args) {
  (void)module;
  Hooks given;
  if (!PyArg_ParseTuple(args, "OOOOk", &given.error, &given.event, &given.awaiting, &given.arrow, &given.main_thread)) return NULL;
  Py_INCREF(given.error);
  Py_INCREF(given.event);
  Py_INCREF(given.awaiting);
  Py_INCREF(given.arrow);
  hooks = given;                                 /* once, at import: they live as long as the process */
  Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"_set_hooks", set_hooks, METH_VARARGS, NULL},
    {"config_file", config_file, METH_O, "What a Java properties file sets, as a dict."},
    {NULL, NULL, 0, NULL}};

int add_convert(PyObject *module) { return PyModule_AddFunctions(module, functions); }
