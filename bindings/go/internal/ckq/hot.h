/* hot.h: what would cost a crossing for each record, or a list that SWIG cannot carry, done in C by the batch. */
#ifndef CKQ_HOT_H
#define CKQ_HOT_H

#include <kq/kq.h>
#include <stdint.h>

/* A record, an event's row or a delivery as Go reads it, in C's memory.  What it points to is the batch's. */
typedef struct ckq_row {
  const char      *topic;
  const void      *key;
  const void      *value;
  const kq_header *headers;
  const kq_error  *error;
  int64_t          offset;
  int64_t          timestamp_ms;
  uint64_t         tag;
  int32_t          key_len;   /* -1: no key */
  int32_t          value_len; /* -1: a tombstone */
  int32_t          header_count;
  int32_t          partition;
  int32_t          leader_epoch;
  int16_t          delivery_count;
  int8_t           timestamp_type;
} ckq_row;

/* What a poll gave, laid out.  `rows` is kept and grows from poll to poll; `batch` is the receiver's to free. */
typedef struct ckq_polled {
  kq_batch *batch;
  kq_error *error;
  ckq_row  *rows;
  size_t    room;          /* of rows */
  size_t    row_count;
  size_t    record_count;  /* of the batch */
  size_t    payload_bytes; /* of all keys, values and headers */
  size_t    header_count;
  int32_t   kind;
  int32_t   event;
} ckq_polled;

/* Polls without waiting and lays out what came, after freeing `done` (NULL: nothing).  True: there is a batch or an error. */
int ckq_poll(kq_consumer *consumer, kq_batch *done, ckq_polled *polled);
/* The same of a share consumer, after accepting the first `accept` records of `done`, but for those that were acknowledged already. */
int ckq_share_poll(kq_share_consumer *consumer, kq_batch *done, size_t accept, ckq_polled *polled);
void ckq_share_accept(kq_share_consumer *consumer, const kq_batch *batch, size_t count);
/* Acknowledges records of one partition, as many as are held; fails with the first that is not. */
kq_error *ckq_share_acknowledge(kq_share_consumer *consumer, const char *topic, int32_t partition, const int64_t *offsets, size_t count,
                                kq_acknowledge how);
/* The same of deliveries, all of which are counted; those that failed get a row, and with `tagged` those that have a tag.  Whoever
 * sends without tags pays for no rows. */
int  ckq_deliveries(kq_producer *producer, int tagged, ckq_polled *polled);
void ckq_polled_clear(ckq_polled *polled); /* frees batch and error, keeps the room */
void ckq_polled_free(ckq_polled *polled);

#endif
