#include "core.h"

#include <string.h>

PyTypeObject *admin_type, *broker_type;

static const char *const nouns[] = {"producer", "consumer", "admin", "broker", "share consumer"};

static PyTypeObject *type_of(HandleKind kind) {
  switch (kind) {
    case HANDLE_PRODUCER: return producer_type;
    case HANDLE_CONSUMER: return consumer_type;
    case HANDLE_ADMIN: return admin_type;
    case HANDLE_SHARE: return share_type;
    default: return broker_type;
  }
}

void *handle_enter(PyObject *object, HandleKind kind) {
  if (!PyObject_TypeCheck(object, type_of(kind))) {
    PyErr_Format(PyExc_TypeError, "this needs a %s, not %R", nouns[kind], (PyObject *)Py_TYPE(object));
    return NULL;
  }
  Handle *handle = (Handle *)object;
  if (!handle->raw || handle->closed) {
    char message[96];
    PyOS_snprintf(message, sizeof message, handle->closed ? "this %s is closed: make a new one"
                                                          : "this %s was never opened: call __init__ of the class above first",
                  nouns[kind]);
    return raise_own(KQ_ERR_CLOSED, KQ_REFUSED, message);
  }
  ++handle->users;
  return handle->raw;
}

void handle_free(Handle *handle) {
  void *raw = handle->raw;
  if (!raw) return;
  handle->raw = NULL;
  PyThreadState *saved = PyEval_SaveThread();   /* it may join a thread */
  switch (handle->kind) {
    case HANDLE_PRODUCER: kq_producer_free(raw); break;
    case HANDLE_CONSUMER: kq_consumer_free(raw); break;
    case HANDLE_ADMIN: kq_admin_free(raw); break;
    case HANDLE_BROKER: kq_broker_free(raw); break;
    case HANDLE_SHARE: kq_share_consumer_free(raw); break;
  }
  PyEval_RestoreThread(saved);
}

void handle_leave(Handle *handle) {
  if (--handle->users == 0 && handle->closed) handle_free(handle);
}

void handle_release(Handle *handle) {
  handle->closed = true;
  if (handle->users == 0) handle_free(handle);
}

/* --- admin and broker have nothing else that must be quick --- */

static int opened(Handle *self, HandleKind kind, void *raw) {
  self->kind = kind;
  self->raw = raw;
  self->closed = false;
  return 0;
}

static int not_twice(Handle *self) {
  if (!self->raw && !self->closed) return 0;
  PyErr_SetString(PyExc_RuntimeError, "__init__ was called a second time: make a new object instead");
  return -1;
}

static int admin_init(PyObject *object, PyObject *args, PyObject *kwargs) {
  PyObject *config_dict;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_SetString(PyExc_TypeError, "no keyword arguments here"), -1;
  if (not_twice((Handle *)object) || !PyArg_ParseTuple(args, "O", &config_dict)) return -1;
  kq_config *config = config_from(config_dict);
  if (!config) return -1;
  kq_admin *admin = NULL;
  kq_error *error;
  Py_BEGIN_ALLOW_THREADS
  error = kq_admin_new(config, &admin);
  Py_END_ALLOW_THREADS
  kq_config_free(config);
  if (error) return raise_error(error), -1;
  return opened((Handle *)object, HANDLE_ADMIN, admin);
}

static int broker_init(PyObject *object, PyObject *args, PyObject *kwargs) {
  PyObject *config_dict;
  int       log_descriptor = -1;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_SetString(PyExc_TypeError, "no keyword arguments here"), -1;
  if (not_twice((Handle *)object) || !PyArg_ParseTuple(args, "O|i", &config_dict, &log_descriptor)) return -1;
  kq_config *config = config_from(config_dict);
  if (!config) return -1;
  kq_broker *broker = NULL;
  kq_error  *error;
  Py_BEGIN_ALLOW_THREADS
  error = kq_broker_start(config, log_descriptor, &broker);
  Py_END_ALLOW_THREADS
  kq_config_free(config);
  if (error) return raise_error(error), -1;
  return opened((Handle *)object, HANDLE_BROKER, broker);
}

static void plain_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  handle_free((Handle *)object);
  freefunc release = PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF(type);
}

static PyObject *handle_let_go(PyObject *object, PyObject *unused) {
  (void)unused;
  handle_release((Handle *)object);
  Py_RETURN_NONE;
}

static PyObject *handle_is_closed(PyObject *object, void *unused) {
  (void)unused;
  Handle *handle = (Handle *)object;
  return PyBool_FromLong(handle->closed || !handle->raw);
}

static PyMethodDef plain_methods[] = {
    {"_release", handle_let_go, METH_NOARGS, "Frees what libkq holds, now or when the last call on it has ended."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef plain_getset[] = {{"closed", handle_is_closed, NULL, "Whether it was closed.", NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot admin_slots[] = {{Py_tp_new, PyType_GenericNew}, {Py_tp_init, admin_init}, {Py_tp_dealloc, plain_dealloc},
                                    {Py_tp_methods, plain_methods}, {Py_tp_getset, plain_getset}, {0, NULL}};
static PyType_Slot broker_slots[] = {{Py_tp_new, PyType_GenericNew}, {Py_tp_init, broker_init}, {Py_tp_dealloc, plain_dealloc},
                                     {Py_tp_methods, plain_methods}, {Py_tp_getset, plain_getset}, {0, NULL}};
static PyType_Spec admin_spec = {"libkq._kq.Admin", sizeof(Handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, admin_slots};
static PyType_Spec broker_spec = {"libkq._kq.Broker", sizeof(Handle), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, broker_slots};

PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
  PyTypeObject *type = (PyTypeObject *)PyType_FromSpec(spec);
  if (!type) return NULL;
  const char *dot = strrchr(spec->name, '.');
  if (PyModule_AddObjectRef(module, dot + 1, (PyObject *)type) < 0) return NULL;
  return type;
}

int add_handles(PyObject *module) {
  admin_type = add_type(module, &admin_spec);
  broker_type = admin_type ? add_type(module, &broker_spec) : NULL;
  return broker_type ? 0 : -1;
}
