/* Share groups: records, not partitions, are shared. */
#include "core.h"

PyTypeObject *share_type;

typedef struct {
  Handle    handle;
  PyObject *key_function, *value_function;
  bool      woken;
} Share;

static PyObject *share_receive(PyObject *object, PyObject *args) {
  Share    *self = (Share *)object;
  PyObject *seconds = Py_None;
  int64_t   timeout;
  if (!PyArg_ParseTuple(args, "|O", &seconds) || !timeout_from(seconds, &timeout)) return NULL;
  const int64_t deadline = timeout < 0 ? -1 : now_ms() + timeout;
  for (;;) {
    kq_share_consumer *raw = handle_enter(object, HANDLE_SHARE);
    if (!raw) return NULL;
    const int32_t wait = self->woken ? 0 : slice_of(deadline);
    kq_batch *batch = NULL;
    kq_error *error;
    Py_BEGIN_ALLOW_THREADS
    error = kq_share_consumer_poll(raw, wait, &batch);
    Py_END_ALLOW_THREADS
    handle_leave(&self->handle);
    if (error) return raise_error(error);
    if (batch) {
      PyObject *made = batch_new(batch, self->key_function, self->value_function);
      if (!made || kq_batch_kind_of(batch) == KQ_RECORDS) return made;
      PyObject *event = PyObject_CallFunctionObjArgs(hooks.event, object, made, NULL);
      Py_DECREF(made);
      return event;
    }
    if (PyErr_CheckSignals() < 0) return NULL;
    const bool woken = self->woken;
    self->woken = false;
    if (woken || (deadline >= 0 && now_ms() >= deadline)) Py_RETURN_NONE;
  }
}

static PyObject *share_wakeup(PyObject *object, PyObject *unused) {
  (void)unused;
  kq_share_consumer *raw = handle_enter(object, HANDLE_SHARE);
  if (!raw) return NULL;
  ((Share *)object)->woken = true;
  kq_error *error = kq_share_consumer_wakeup(raw);
  handle_leave((Handle *)object);
  if (error) return raise_error(error);
  Py_RETURN_NONE;
}

static PyObject *share_release(PyObject *object, PyObject *unused) {
  (void)unused;
  handle_release((Handle *)object);
  Py_RETURN_NONE;
}

static PyObject *share_closed(PyObject *object, void *unused) {
  (void)unused;
  return PyBool_FromLong(((Handle *)object)->closed || !((Handle *)object)->raw);
}

/* (config, key_function, value_function) */
static int share_init(PyObject *object, PyObject *args, PyObject *kwargs) {
  Share *self = (Share *)object;
  PyObject *config_dict, *key = Py_None, *value = Py_None;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_SetString(PyExc_TypeError, "no keyword arguments here"), -1;
  if (self->handle.raw || self->handle.closed)
    return PyErr_SetString(PyExc_RuntimeError, "__init__ was called a second time: make a new object instead"), -1;
  if (!PyArg_ParseTuple(args, "O|OO", &config_dict, &key, &value)) return -1;
  if ((key != Py_None && !PyCallable_Check(key)) || (value != Py_None && !PyCallable_Check(value)))
    return PyErr_SetString(PyExc_TypeError, "key and value are functions of bytes, such as json.loads"), -1;
  kq_config *config = config_from(config_dict);
  if (!config) return -1;
  kq_share_consumer *raw = NULL;
  kq_error *error;
  Py_BEGIN_ALLOW_THREADS
  error = kq_share_consumer_new(config, &raw);
  Py_END_ALLOW_THREADS
  kq_config_free(config);
  if (error) return raise_error(error), -1;
  self->key_function = key == Py_None ? NULL : Py_NewRef(key);
  self->value_function = value == Py_None ? NULL : Py_NewRef(value);
  self->handle.kind = HANDLE_SHARE;
  self->handle.raw = raw;
  return 0;
}

static void share_dealloc(PyObject *object) {
  Share *self = (Share *)object;
  PyTypeObject *type = Py_TYPE(object);
  handle_free(&self->handle);
  Py_XDECREF(self->key_function);
  Py_XDECREF(self->value_function);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {{"_receive", share_receive, METH_VARARGS, NULL},
                                {"wakeup", share_wakeup, METH_NOARGS, "Ends the wait of poll that goes on now, or else the next one.  From any thread."},
                                {"_release", share_release, METH_NOARGS, NULL},
                                {NULL, NULL, 0, NULL}};
static PyGetSetDef getset[] = {{"closed", share_closed, NULL, "Whether it was closed.", NULL}, {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_new, PyType_GenericNew}, {Py_tp_init, share_init}, {Py_tp_dealloc, share_dealloc},
                              {Py_tp_methods, methods}, {Py_tp_getset, getset}, {0, NULL}};
static PyType_Spec spec = {"libkq._kq.ShareConsumer", sizeof(Share), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

int add_share(PyObject *module) { return (share_type = add_type(module, &spec)) ? 0 : -1; }
