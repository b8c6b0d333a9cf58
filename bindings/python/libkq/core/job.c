/* Waits that libkq does in one call (flush, commit, close, ...), and that must neither hold the GIL nor keep Ctrl-C from working.
 *
 * A job runs the call on a thread of its own, which knows nothing of Python; a descriptor becomes readable when it is done.  Python's
 * main thread waits on that in slices, an event loop watches it.  On other Python threads, where no signal is handled, the call is made
 * directly.  Whoever stops waiting leaves the job behind, a user of its handle until a later call on that finds it done: so nothing is freed
 * under it. */
#define _GNU_SOURCE
#include "core.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

PyTypeObject *job_type;

typedef enum {
  JOB_FLUSH, JOB_BEGIN, JOB_COMMIT, JOB_ABORT, JOB_SEND_OFFSETS, JOB_PRODUCER_PARTITIONS, JOB_CLOSE_PRODUCER,
  JOB_COMMIT_OFFSETS, JOB_COMMITTED, JOB_OFFSETS_AT, JOB_CONSUMER_PARTITIONS, JOB_CLOSE_CONSUMER, JOB_ADMIN, JOB_STOP_BROKER, JOB_SHARE_COMMIT, JOB_CLOSE_SHARE,
  JOB_PRODUCER_STATISTICS, JOB_CONSUMER_STATISTICS
} JobKind;

static const struct { const char *name; JobKind kind; HandleKind handle; } kinds[] = {
    {"flush", JOB_FLUSH, HANDLE_PRODUCER}, {"begin", JOB_BEGIN, HANDLE_PRODUCER}, {"commit", JOB_COMMIT, HANDLE_PRODUCER},
    {"abort", JOB_ABORT, HANDLE_PRODUCER}, {"send_offsets", JOB_SEND_OFFSETS, HANDLE_PRODUCER},
    {"producer_partitions", JOB_PRODUCER_PARTITIONS, HANDLE_PRODUCER}, {"close_producer", JOB_CLOSE_PRODUCER, HANDLE_PRODUCER},
    {"commit_offsets", JOB_COMMIT_OFFSETS, HANDLE_CONSUMER}, {"committed", JOB_COMMITTED, HANDLE_CONSUMER},
    {"offsets_at", JOB_OFFSETS_AT, HANDLE_CONSUMER}, {"consumer_partitions", JOB_CONSUMER_PARTITIONS, HANDLE_CONSUMER},
    {"close_consumer", JOB_CLOSE_CONSUMER, HANDLE_CONSUMER}, {"admin", JOB_ADMIN, HANDLE_ADMIN},
    {"stop_broker", JOB_STOP_BROKER, HANDLE_BROKER}, {"share_commit", JOB_SHARE_COMMIT, HANDLE_SHARE},
    {"close_share", JOB_CLOSE_SHARE, HANDLE_SHARE}, {"producer_statistics", JOB_PRODUCER_STATISTICS, HANDLE_PRODUCER},
    {"consumer_statistics", JOB_CONSUMER_STATISTICS, HANDLE_CONSUMER}};

/* What the thread works on: no Python object in it. */
typedef struct Work {
  struct Work        *next;               /* of a handle's abandoned ones */
  atomic_int          users;              /* the thread, and the Job or the waiting function */
  atomic_bool         done;
  int                 event;              /* eventfd */
  JobKind             kind;
  void               *handle;
  int32_t             timeout_ms;
  char               *topic;
  int64_t             timestamp_ms;
  kq_topic_partition *partitions;
  size_t              partition_count;
  kq_group_metadata  *group;
  kq_request         *request;
  kq_error           *error;              /* what came of it, as are the next two */
  kq_rows            *rows;
  int32_t             number;
} Work;

typedef struct {
  PyObject_HEAD
  Work     *work;
  PyObject *handle;                       /* a user of it until the result is taken */
} Job;

/* --- without Python --- */

static void work_drop(Work *work) {
  if (atomic_fetch_sub(&work->users, 1) > 1) return;
  for (size_t i = 0; i < work->partition_count; ++i) {
    free((char *)work->partitions[i].topic);
    free((char *)work->partitions[i].metadata);
  }
  free(work->partitions);
  free(work->topic);
  kq_group_metadata_free(work->group);
  kq_request_free(work->request);
  kq_error_free(work->error);
  kq_rows_free(work->rows);
  if (work->event >= 0) close(work->event);
  free(work);
}

static kq_error *work_run(Work *work) {
  void *handle = work->handle;
  const int32_t timeout = work->timeout_ms;
  switch (work->kind) {
    case JOB_FLUSH: return kq_producer_flush(handle, timeout);
    case JOB_BEGIN: return kq_producer_begin(handle, timeout);
    case JOB_COMMIT: return kq_producer_commit(handle, timeout);
    case JOB_ABORT: return kq_producer_abort(handle, timeout);
    case JOB_SEND_OFFSETS: return kq_producer_send_offsets(handle, work->partitions, work->partition_count, work->group, timeout);
    case JOB_PRODUCER_PARTITIONS: return kq_producer_partition_count(handle, work->topic, timeout, &work->number);
    case JOB_CLOSE_PRODUCER: return kq_producer_close(handle, timeout);
    case JOB_COMMIT_OFFSETS: return kq_consumer_commit(handle, work->partitions, work->partition_count, timeout);
    case JOB_COMMITTED: return kq_consumer_committed(handle, work->partitions, work->partition_count, timeout, &work->rows);
    case JOB_OFFSETS_AT:
      return kq_consumer_offsets_at(handle, work->timestamp_ms, work->partitions, work->partition_count, timeout);
    case JOB_CONSUMER_PARTITIONS: return kq_consumer_partition_count(handle, work->topic, timeout, &work->number);
    case JOB_CLOSE_CONSUMER: return kq_consumer_close(handle, timeout);
    case JOB_ADMIN: return kq_admin_run(handle, work->request, timeout, &work->rows);
    case JOB_STOP_BROKER: return kq_broker_stop(handle);
    case JOB_SHARE_COMMIT: return kq_share_consumer_commit(handle, timeout, &work->rows);
    case JOB_CLOSE_SHARE: return kq_share_consumer_close(handle, timeout);
    case JOB_PRODUCER_STATISTICS: return kq_producer_statistics(handle, &work->rows);
    case JOB_CONSUMER_STATISTICS: return kq_consumer_statistics(handle, &work->rows);
  }
  return NULL;
}

static void *work_thread(void *argument) {
  Work *work = argument;
  work->error = work_run(work);
  atomic_store(&work->done, true);
  const uint64_t one = 1;
  if (write(work->event, &one, sizeof one) < 0) { /* the waiting side looks at `done` as well */ }
  work_drop(work);
  return NULL;
}

/* --- with Python --- */

static bool copy_partitions(PyObject *list, Work *work) {
  Partitions partitions;
  if (!partitions_from(list, true, &partitions)) return false;
  work->partitions = calloc(partitions.count + 1, sizeof *work->partitions);
  for (size_t i = 0; work->partitions && i < partitions.count; ++i) {
    kq_topic_partition *to = &work->partitions[work->partition_count++];
    *to = partitions.at[i];
    to->topic = strdup(to->topic);
    if (to->metadata) to->metadata = strdup(to->metadata);
  }
  partitions_free(&partitions);
  return work->partitions ? true : (PyErr_NoMemory(), false);
}

static bool group_of(PyObject *consumer, Work *work) {
  kq_consumer *raw = handle_enter(consumer, HANDLE_CONSUMER);
  if (!raw) return false;
  kq_error *error = kq_consumer_group_metadata(raw, &work->group);
  handle_leave((Handle *)consumer);
  return error ? (raise_error(error), false) : true;
}

/* What the kinds take, after name, handle and timeout: see libkq/_waits.py. */
static bool arguments_from(PyObject *first, PyObject *second, Work *work) {
  switch (work->kind) {
    case JOB_SEND_OFFSETS: return copy_partitions(first, work) && group_of(second, work);
    case JOB_PRODUCER_PARTITIONS:
    case JOB_CONSUMER_PARTITIONS: {
      const char *topic = text_from(first, "a topic");
      return topic && ((work->topic = strdup(topic)) || (PyErr_NoMemory(), false));
    }
    case JOB_COMMIT_OFFSETS:
    case JOB_COMMITTED: return copy_partitions(first, work);
    case JOB_OFFSETS_AT:
      work->timestamp_ms = PyLong_AsLongLong(second);
      return !PyErr_Occurred() && copy_partitions(first, work);
    case JOB_ADMIN: {
      const char *operation = text_from(first, "an operation");
      return operation && (work->request = request_from(operation, second));
    }
    default: return true;
  }
}

/* Enters the handle. */
static Work *work_from(PyObject *args, PyObject **handle) {
  const char *name;
  PyObject *seconds, *first = Py_None, *second = Py_None;
  int64_t timeout;
  if (!PyArg_ParseTuple(args, "sOO|OO", &name, handle, &seconds, &first, &second) || !timeout_from(seconds, &timeout)) return NULL;
  size_t at = 0;
  while (at < sizeof kinds / sizeof *kinds && strcmp(kinds[at].name, name) != 0) ++at;
  if (at == sizeof kinds / sizeof *kinds) return PyErr_Format(PyExc_ValueError, "no wait named %s", name), NULL;
  void *raw = handle_enter(*handle, kinds[at].handle);
  if (!raw) return NULL;
  if (waits_go_on((Handle *)*handle) && kinds[at].kind == JOB_CLOSE_CONSUMER) {
    handle_leave((Handle *)*handle);             /* it would wait for them; the caller releases the handle, which is freed with the process */
    *handle = NULL;
    return NULL;
  }
  Work *work = calloc(1, sizeof *work);
  if (!work) return handle_leave((Handle *)*handle), (void *)PyErr_NoMemory();
  work->users = 1;
  work->event = -1;
  work->kind = kinds[at].kind;
  work->handle = raw;
  work->timeout_ms = (int32_t)timeout;
  if (arguments_from(first, second, work)) return work;
  work_drop(work);
  handle_leave((Handle *)*handle);
  return NULL;
}

static bool work_start(Work *work) {
  pthread_t thread;
  if ((work->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) return PyErr_SetFromErrno(PyExc_OSError), false;
  work->users = 2;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failed = pthread_create(&thread, NULL, work_thread, work);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed) {
    work->users = 1;
    PyErr_SetString(PyExc_RuntimeError, "no thread could be started to wait on");
    return false;
  }
  pthread_detach(thread);
  return true;
}

static PyObject *work_result(Work *work) {
  if (work->error) {
    kq_error *error = work->error;
    work->error = NULL;
    return raise_error(error);
  }
  if (work->kind == JOB_PRODUCER_STATISTICS || work->kind == JOB_CONSUMER_STATISTICS) {
    const char *json = kq_rows_json(work->rows);
    return json ? PyUnicode_FromString(json) : PyErr_NoMemory();
  }
  if (work->rows) return rows_to_python(work->rows);
  if (work->kind == JOB_PRODUCER_PARTITIONS || work->kind == JOB_CONSUMER_PARTITIONS) return PyLong_FromLong(work->number);
  if (work->kind != JOB_OFFSETS_AT) Py_RETURN_NONE;
  PyObject *list = PyList_New((Py_ssize_t)work->partition_count);
  for (size_t i = 0; list && i < work->partition_count; ++i) {
    PyObject *offset = PyLong_FromLongLong(work->partitions[i].offset);
    if (!offset || PyList_SetItem(list, (Py_ssize_t)i, offset) < 0) Py_CLEAR(list);
  }
  return list;
}

/* --- a job, for event loops; and for the main thread, whose wait may be given up --- */

static PyObject *job_start(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *handle;
  Work *work = work_from(args, &handle);
  if (!work) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
  Job *job = (Job *)((allocfunc)PyType_GetSlot(job_type, Py_tp_alloc))(job_type, 0);
  if (!job || !work_start(work)) {
    Py_XDECREF((PyObject *)job);
    work_drop(work);
    handle_leave((Handle *)handle);
    return NULL;
  }
  job->work = work;
  job->handle = Py_NewRef(handle);
  return (PyObject *)job;
}

bool waits_go_on(Handle *handle) {
  Work **at = (Work **)&handle->abandoned;
  while (*at) {
    Work *work = *at;
    if (!atomic_load(&work->done)) {
      at = &work->next;
      continue;
    }
    *at = work->next;
    work_drop(work);
    --handle->users;
    Py_DECREF((PyObject *)handle);         /* its caller holds another */
  }
  return handle->abandoned != NULL;
}

static void job_let_go(Job *job) {
  if (!job->work) return;
  Handle *handle = (Handle *)job->handle;
  if (atomic_load(&job->work->done)) {
    work_drop(job->work);
    handle_leave(handle);
    Py_DECREF(job->handle);
  } else {
    job->work->next = handle->abandoned;
    handle->abandoned = job->work;
  }
  job->work = NULL;
  job->handle = NULL;
}

static void job_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  job_let_go((Job *)object);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

static PyObject *job_fileno(PyObject *object, PyObject *unused) {
  (void)unused;
  Job *job = (Job *)object;
  return PyLong_FromLong(job->work ? job->work->event : -1);
}

static PyObject *job_done(PyObject *object, PyObject *unused) {
  (void)unused;
  Job *job = (Job *)object;
  return PyBool_FromLong(!job->work || atomic_load(&job->work->done));
}

static PyObject *job_result(PyObject *object, PyObject *unused) {
  (void)unused;
  Job *job = (Job *)object;
  if (!job->work) return PyErr_SetString(PyExc_RuntimeError, "the result was taken before"), NULL;
  while (!atomic_load(&job->work->done)) {
    struct pollfd event = {job->work->event, POLLIN, 0};
    Py_BEGIN_ALLOW_THREADS
    poll(&event, 1, slice_ms);
    Py_END_ALLOW_THREADS
    if (PyErr_CheckSignals() < 0) return NULL;
  }
  PyObject *result = work_result(job->work);
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  job_let_go(job);
  PyErr_Restore(type, value, traceback);
  return result;
}

static PyObject *job_call(PyObject *module, PyObject *args) {
  if (PyThread_get_thread_ident() == hooks.main_thread) {
    PyObject *job = job_start(module, args), *result = !job || job == Py_None ? Py_XNewRef(job) : job_result(job, NULL);
    Py_XDECREF(job);
    return result;
  }
  PyObject *handle;
  Work *work = work_from(args, &handle);
  if (!work) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
  Py_BEGIN_ALLOW_THREADS
  work->error = work_run(work);
  Py_END_ALLOW_THREADS
  PyObject *result = work_result(work);
  work_drop(work);
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  handle_leave((Handle *)handle);
  PyErr_Restore(type, value, traceback);
  return result;
}

static PyMethodDef methods[] = {{"fileno", job_fileno, METH_NOARGS, NULL}, {"done", job_done, METH_NOARGS, NULL},
                                {"result", job_result, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {{Py_tp_dealloc, job_dealloc}, {Py_tp_methods, methods}, {0, NULL}};
static PyType_Spec spec = {"libkq._kq.Job", sizeof(Job), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

static PyMethodDef functions[] = {{"call", job_call, METH_VARARGS, "call(name, handle, timeout, ...): waits."},
                                  {"start", job_start, METH_VARARGS, "start(name, handle, timeout, ...) -> Job"},
                                  {NULL, NULL, 0, NULL}};

int add_jobs(PyObject *module) {
  if (!(job_type = add_type(module, &spec))) return -1;
  return PyModule_AddFunctions(module, functions);
}
