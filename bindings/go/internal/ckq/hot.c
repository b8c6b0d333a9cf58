#include "hot.h"

#include <stdlib.h>
#include <string.h>

static int make_room(ckq_polled *polled, size_t rows) {
  if (polled->room >= rows) return 1;
  ckq_row *grown = realloc(polled->rows, rows * sizeof *grown);
  if (!grown) return 0;
  polled->rows = grown;
  polled->room = rows;
  return 1;
}

static void begin(ckq_polled *polled, kq_batch *batch) {
  polled->batch = batch;
  polled->kind = (int32_t)kq_batch_kind_of(batch);
  polled->event = (int32_t)kq_batch_event(batch);
  polled->record_count = kq_batch_count(batch);
  polled->row_count = polled->payload_bytes = polled->header_count = 0;
}

static int32_t length_of(const void *data, size_t len) { return data ? (int32_t)len : -1; }

static void lay_out(ckq_polled *polled, const kq_record *record, const kq_error *error) {
  ckq_row *row = &polled->rows[polled->row_count++];
  row->topic = record->topic;
  row->key = record->key;
  row->value = record->value;
  row->headers = record->headers;
  row->error = error;
  row->offset = record->offset;
  row->timestamp_ms = record->timestamp_ms;
  row->tag = record->tag;
  row->key_len = length_of(record->key, record->key_len);
  row->value_len = length_of(record->value, record->value_len);
  row->header_count = (int32_t)record->header_count;
  row->partition = record->partition;
  row->leader_epoch = record->leader_epoch;
  row->delivery_count = record->delivery_count;
  row->timestamp_type = record->timestamp_type;
  polled->payload_bytes += record->key_len + record->value_len;
  polled->header_count += record->header_count;
  for (size_t i = 0; i < record->header_count; ++i) polled->payload_bytes += record->headers[i].key_len + record->headers[i].value_len;
}

static int no_memory(ckq_polled *polled) {
  polled->error = kq_error_new(KQ_ERR_NO_MEMORY, KQ_RETRY, "no memory for the rows of a batch");
  return 1;
}

static int received(ckq_polled *polled, kq_batch *batch) {
  begin(polled, batch);
  if (!batch) return polled->error != NULL;
  if (!make_room(polled, polled->record_count)) return no_memory(polled);
  for (size_t i = 0; i < polled->record_count; ++i) {
    const kq_record *record = kq_batch_at(batch, i);
    if (record) lay_out(polled, record, polled->kind == KQ_RECORDS ? NULL : kq_batch_error(batch, i));
  }
  return 1;
}

int ckq_poll(kq_consumer *consumer, kq_batch *done, ckq_polled *polled) {
  kq_batch *batch = NULL;
  kq_batch_free(done);
  polled->error = kq_consumer_poll(consumer, 0, &batch);
  return received(polled, batch);
}

void ckq_share_accept(kq_share_consumer *consumer, const kq_batch *batch, size_t count) {
  if (batch && count > 0) kq_error_free(kq_share_consumer_acknowledge(consumer, batch, 0, count, KQ_ACCEPT));
}

int ckq_share_poll(kq_share_consumer *consumer, kq_batch *done, size_t accept, ckq_polled *polled) {
  kq_batch *batch = NULL;
  ckq_share_accept(consumer, done, accept);
  kq_batch_free(done);
  polled->error = kq_share_consumer_poll(consumer, 0, &batch);
  return received(polled, batch);
}

kq_error *ckq_share_acknowledge(kq_share_consumer *consumer, const char *topic, int32_t partition, const int64_t *offsets, size_t count,
                                kq_acknowledge how) {
  kq_error *first = NULL;
  for (size_t i = 0; i < count; ++i) {
    kq_error *const error = kq_share_consumer_acknowledge_at(consumer, topic, partition, offsets[i], how);
    if (first) kq_error_free(error);
    else first = error;
  }
  return first;
}

int ckq_deliveries(kq_producer *producer, int tagged, ckq_polled *polled) {
  kq_batch *batch = NULL;
  polled->error = kq_producer_poll(producer, 0, &batch);
  begin(polled, batch);
  if (!batch) return polled->error != NULL;
  for (size_t i = 0; i < polled->record_count; ++i) {
    const kq_error  *error = kq_batch_error(batch, i);
    const kq_record *record = error || tagged ? kq_batch_at(batch, i) : NULL;
    if (!record || (!error && !record->tag)) continue;
    if (!make_room(polled, polled->record_count)) return no_memory(polled);
    lay_out(polled, record, error);
  }
  return 1;
}

void ckq_polled_clear(ckq_polled *polled) {
  kq_batch_free(polled->batch);
  kq_error_free(polled->error);
  polled->batch = NULL;
  polled->error = NULL;
}

void ckq_polled_free(ckq_polled *polled) {
  ckq_polled_clear(polled);
  free(polled->rows);
  free(polled);
}
