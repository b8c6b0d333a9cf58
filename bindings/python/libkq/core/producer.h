#ifndef KQ_PYTHON_PRODUCER_H
#define KQ_PYTHON_PRODUCER_H

#include "core.h"

/* What became of one record, or of those of one send_many. */
struct Delivery {
  PyObject_HEAD
  Producer *producer;     /* holds on to it: a producer lives until its deliveries are dropped or done */
  PyObject *topic;        /* as the caller gave it */
  PyObject *error;        /* the first one's exception; NULL: none failed */
  PyObject *failures;     /* of send_many: [(index of the record, exception), ...] or NULL */
  PyObject *notify;       /* called with the delivery, by whoever asks the producer for what is ready */
  PyObject *message;      /* anything the caller wants to find again in notify */
  size_t    count, pending, failed;
  int64_t   offset, timestamp_ms;
  int32_t   partition;
  uint32_t  slot;         /* in the producer's table while pending; 0: none */
};

/* A delivery's tag is its slot.  The table borrows: a delivery that nobody holds any more leaves its slot by itself, and what becomes
 * of its records is told by flush.  One that has a notify is held. */
typedef struct {
  Delivery *delivery;     /* NULL: dropped before it was done */
  size_t    pending;      /* records; 0: a free slot */
  uint32_t  next_free;
} Slot;

struct Producer {
  Handle          handle;
  Slot           *slots;          /* slot 0 stays unused: tag 0 is nobody's */
  uint32_t        slot_count, free_slot;
  PyObject       *key_function, *value_function;
  PyObject       *ready;          /* done deliveries with a notify */
  PyObject       *lost;           /* the first failure of a record whose delivery was dropped */
  size_t          lost_count;
  int64_t         block_ms;       /* max.block.ms */
  unsigned        since_drain;
  bool            polling;        /* a thread is in kq_producer_poll; the others wait on `polled` */
  pthread_mutex_t mutex;
  pthread_cond_t  polled;
};

/* delivery.c */
Delivery *delivery_new(Producer *producer, PyObject *topic, size_t count);
void      delivery_forget(Delivery *delivery);                /* nothing was sent for it */
bool      producer_drain(Producer *producer, int32_t timeout_ms);  /* false: an exception */
void      producer_settle(Producer *producer);                /* closed: what is pending fails */
bool      producer_wait_step(Producer *producer, int32_t timeout_ms);
int       add_deliveries(PyObject *module);

#endif
