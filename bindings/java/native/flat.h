/* flat.h: many records in one call, laid out flat in a direct buffer.  io.kq.internal.Flat is the other side of it, and says the
 * same sizes and positions.  Numbers are in the machine's own order, and not aligned. */
#ifndef KQ_JAVA_FLAT_H
#define KQ_JAVA_FLAT_H

#include <kq/kq.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Records on their way out.  Each is
 *
 *   i32 size, of all of it      i32 topic: where its name stands in the buffer, ended by a zero      i32 partition
 *   i32 key_len (-1: none)      i32 value_len (-1: a tombstone)      i32 header_count      i64 timestamp_ms
 *   key   value   headers: i32 key_len, i32 value_len (-1: none), key, value      the topic's name, unless an earlier record has it
 *
 * and its tag is first_tag and its place in the buffer.  Sends `count` of them, leaving out the first `skip`, and gives how many it
 * could send: fails only where not even one could be, so call again to learn what is the matter with the next one.
 * `wait` 0: never waits. */
kq_error *kq_flat_send(kq_producer *producer, void *buffer, int64_t buffer_len, int64_t first_tag, int32_t skip, int32_t count,
                       int wait, int32_t *out);

/* Waits until there are deliveries, the bell rings or the time is over, and gives the deliveries or NULL. */
kq_error *kq_flat_await(kq_producer *producer, int bell, int32_t timeout_ms, kq_batch **out);

/* Deliveries from the `first` on, as many as there is room for:  i64 tag, i64 offset, i64 timestamp_ms, i32 partition, i32 failed.
 * Returns how many. */
int32_t kq_flat_deliveries(const kq_batch *batch, int64_t first, void *buffer, int64_t buffer_len);

/* Received records, or an event's rows, likewise:
 *
 *   i64 offset, timestamp_ms, tag      i64 key, value, headers: addresses, the last of kq_header[header_count]
 *   i32 key_len (-1: none), value_len (-1: a tombstone), partition, header_count, leader_epoch
 *   i32 1: of another topic or partition than the row before; plus 256 * (timestamp_type + 1), plus 65536 * delivery_count */
int32_t kq_flat_records(const kq_batch *batch, int64_t first, void *buffer, int64_t buffer_len);

/* The topic of a row. */
const char *kq_flat_topic(const kq_batch *batch, int64_t row);

/* A bell that a thread in kq_flat_await hears: an eventfd. */
int  kq_bell_new(void);
void kq_bell_ring(int bell);
void kq_bell_free(int bell);

/* A file that a broker's log lines go to; -1: it could not be opened. */
int  kq_log_open(const char *path);
void kq_log_close(int descriptor);

typedef struct kq_window {
  void   *start;
  int64_t length;
} kq_window;

/* The address space from an address on, as far as one buffer reaches. */
kq_window kq_window_at(int64_t address);

#ifdef __cplusplus
}
#endif
#endif
