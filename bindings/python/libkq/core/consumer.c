/* Receiving: by batches, or record by record out of the batch at hand. */
#include "core.h"

PyTypeObject *consumer_type;

typedef struct {
  Handle     handle;
  PyObject  *key_function, *value_function;
  BatchIterator *at;         /* what iteration hands out from; NULL: the next step polls */
  bool       woken;          /* wakeup was called: the next wait is over at once */
} Consumer;

/* A batch, an event, or NULL: with an exception, or because the time is over or somebody called wakeup. */
static PyObject *receive(Consumer *self, int64_t deadline) {
  for (;;) {
    kq_consumer *raw = handle_enter((PyObject *)self, HANDLE_CONSUMER);
    if (!raw) return NULL;
    const int32_t timeout = self->woken ? 0 : slice_of(deadline);
    kq_batch *batch = NULL;
    kq_error *error;
    Py_BEGIN_ALLOW_THREADS
    error = kq_consumer_poll(raw, timeout, &batch);
    Py_END_ALLOW_THREADS
    handle_leave(&self->handle);
    if (error) return raise_error(error);
    if (batch) {
      PyObject *made = batch_new(batch, self->key_function, self->value_function);
      if (!made || kq_batch_kind_of(batch) == KQ_RECORDS) return made;
      PyObject *event = PyObject_CallFunctionObjArgs(hooks.event, (PyObject *)self, made, NULL);
      Py_DECREF(made);
      return event;
    }
    if (PyErr_CheckSignals() < 0) return NULL;
    const bool woken = self->woken;
    self->woken = false;
    if (woken || (deadline >= 0 && now_ms() >= deadline)) return NULL;
  }
}

/* What iteration has taken and not handed out; NULL: nothing, or an exception. */
static PyObject *not_handed_out(Consumer *self) {
  BatchIterator *at = self->at;
  if (!at) return NULL;
  self->at = NULL;
  PyObject *rest = at->next == 0                  ? Py_NewRef((PyObject *)at->batch)
                   : at->next < at->batch->count ? batch_rest(at->batch, at->next)
                                                 : NULL;
  at->next = at->batch->count;
  Py_DECREF((PyObject *)at);
  return rest;
}

static PyObject *consumer_receive(PyObject *object, PyObject *args) {
  PyObject *seconds = Py_None;
  int64_t   timeout;
  if (!PyArg_ParseTuple(args, "|O", &seconds) || !timeout_from(seconds, &timeout)) return NULL;
  Consumer *self = (Consumer *)object;
  PyObject *result = self->handle.closed ? NULL : not_handed_out(self);
  if (!result && !PyErr_Occurred()) result = receive(self, timeout < 0 ? -1 : now_ms() + timeout);
  if (result || PyErr_Occurred()) return result;
  Py_RETURN_NONE;
}

/* Iteration goes on with this batch. */
static bool open_batch(Consumer *self, Batch *batch) {
  Py_XDECREF((PyObject *)self->at);
  self->at = batch_iterate(batch);
  return self->at != NULL;
}

static PyObject *consumer_open(PyObject *object, PyObject *batch) {
  if (Py_TYPE(batch) != batch_type) return PyErr_Format(PyExc_TypeError, "not a Batch: %R", batch), NULL;
  return open_batch((Consumer *)object, (Batch *)batch) ? Py_NewRef((PyObject *)((Consumer *)object)->at) : NULL;
}

static PyObject *consumer_next(PyObject *object) {
  Consumer *self = (Consumer *)object;
  for (;;) {
    if (self->handle.closed) return NULL;
    PyObject *record = self->at ? batch_iterator_next((PyObject *)self->at) : NULL;
    if (record || PyErr_Occurred()) return record;
    Py_CLEAR(self->at);
    PyObject *got = receive(self, -1);
    if (!got) return NULL;                       /* StopIteration where wakeup asked for it */
    if (Py_TYPE(got) == batch_type) {
      const bool opened = open_batch(self, (Batch *)got);
      Py_DECREF(got);
      if (!opened) return NULL;
      continue;
    }
    PyObject *told = PyObject_CallMethod(object, "_tell", "O", got);
    Py_DECREF(got);
    if (!told) return NULL;
    Py_DECREF(told);
  }
}

/* (batch, how many of its records were handed out) where iteration is in the middle of one. */
static PyObject *consumer_at(PyObject *object, PyObject *unused) {
  (void)unused;
  BatchIterator *at = ((Consumer *)object)->at;
  if (!at || at->next >= at->batch->count) Py_RETURN_NONE;
  return Py_BuildValue("On", (PyObject *)at->batch, at->next);
}

static PyObject *consumer_drop(PyObject *object, PyObject *unused) {
  (void)unused;
  Py_CLEAR(((Consumer *)object)->at);
  Py_RETURN_NONE;
}

static PyObject *consumer_wakeup(PyObject *object, PyObject *unused) {
  (void)unused;
  kq_consumer *raw = handle_enter(object, HANDLE_CONSUMER);
  if (!raw) return NULL;
  ((Consumer *)object)->woken = true;
  kq_error *error = kq_consumer_wakeup(raw);
  handle_leave((Handle *)object);
  if (error) return raise_error(error);
  Py_RETURN_NONE;
}

static PyObject *consumer_release(PyObject *object, PyObject *unused) {
  (void)unused;
  Py_CLEAR(((Consumer *)object)->at);
  handle_release((Handle *)object);
  Py_RETURN_NONE;
}

static PyObject *consumer_closed(PyObject *object, void *unused) {
  (void)unused;
  Handle *handle = (Handle *)object;
  return PyBool_FromLong(handle->closed || !handle->raw);
}

static bool function_from(PyObject *object, const char *what, PyObject **out) {
  if (!object || object == Py_None) return true;
  if (!PyCallable_Check(object))
    return PyErr_Format(PyExc_TypeError, "%s is a function of bytes, such as json.loads, not %R", what, object), false;
  *out = Py_NewRef(object);
  return true;
}

/* (config, key_function, value_function) */
static int consumer_init(PyObject *object, PyObject *args, PyObject *kwargs) {
  Consumer *self = (Consumer *)object;
  PyObject *config_dict, *key = NULL, *value = NULL;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_SetString(PyExc_TypeError, "no keyword arguments here"), -1;
  if (self->handle.raw || self->handle.closed)
    return PyErr_SetString(PyExc_RuntimeError, "__init__ was called a second time: make a new object instead"), -1;
  if (!PyArg_ParseTuple(args, "O|OO", &config_dict, &key, &value)) return -1;
  if (!function_from(key, "key", &self->key_function) || !function_from(value, "value", &self->value_function)) return -1;
  kq_config *config = config_from(config_dict);
  if (!config) return -1;
  kq_consumer *raw = NULL;
  kq_error *error;
  Py_BEGIN_ALLOW_THREADS
  error = kq_consumer_new(config, &raw);
  Py_END_ALLOW_THREADS
  kq_config_free(config);
  if (error) return raise_error(error), -1;
  self->handle.kind = HANDLE_CONSUMER;
  self->handle.raw = raw;
  return 0;
}

static void consumer_dealloc(PyObject *object) {
  Consumer *self = (Consumer *)object;
  PyTypeObject *type = Py_TYPE(object);
  Py_CLEAR(self->at);
  handle_free(&self->handle);
  Py_XDECREF(self->key_function);
  Py_XDECREF(self->value_function);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"_receive", consumer_receive, METH_VARARGS, NULL},
    {"_at", consumer_at, METH_NOARGS, NULL},
    {"_open", consumer_open, METH_O, NULL},
    {"_drop", consumer_drop, METH_NOARGS, NULL},
    {"wakeup", consumer_wakeup, METH_NOARGS,
     "wakeup()\n\nEnds the wait of poll (which gives None) or of an iteration (which stops) that goes on now, or else the next one.\n"
     "From any thread."},
    {"_release", consumer_release, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef getset[] = {{"closed", consumer_closed, NULL, "Whether it was closed.", NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_new, PyType_GenericNew}, {Py_tp_init, consumer_init}, {Py_tp_dealloc, consumer_dealloc},
                              {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, consumer_next}, {Py_tp_methods, methods},
                              {Py_tp_getset, getset}, {0, NULL}};
static PyType_Spec spec = {"libkq._kq.Consumer", sizeof(Consumer), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

int add_consumer(PyObject *module) { return (consumer_type = add_type(module, &spec)) ? 0 : -1; }
