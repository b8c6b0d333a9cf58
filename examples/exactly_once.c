/* Reads a topic, turns every value to upper case, and writes it to another: each record once, whatever dies when.
 *   exactly_once localhost:9092 GROUP FROM TO ID [MAX]           (stops after MAX records; run one program for each ID)
 * The offsets are committed in the transaction that writes the records, so both happen or neither. */
#include <ctype.h>
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kq_consumer* consumer;
static kq_producer* producer;

/* What to do is what the verdict says: here everything but an abort, or a time that was over, ends the program. */
static int well(kq_error* error) {
  if (!error) return 1;
  const kq_verdict verdict = kq_error_verdict(error);
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  kq_error_free(error);
  if (verdict != KQ_ABORT && verdict != KQ_RETRY) exit(1);
  return 0;
}

static int send_upper(const kq_record* from, const char* topic) {
  kq_record to = KQ_RECORD_INIT;
  char* value = malloc(from->value_len + 1);
  for (size_t i = 0; i < from->value_len; ++i) value[i] = (char)toupper(((const unsigned char*)from->value)[i]);
  to.topic = topic;
  to.key = from->key, to.key_len = from->key_len;
  to.value = from->value ? value : NULL, to.value_len = from->value_len;
  const int sent = well(kq_producer_send(producer, &to));
  free(value);
  return sent;
}

/* The offset behind the last record of each partition: records of a partition are in order. */
static int send_offsets(const kq_batch* batch) {
  kq_group_metadata* group;
  if (!well(kq_consumer_group_metadata(consumer, &group))) return 0;
  int sent = 1;
  for (size_t i = 0; i < kq_batch_count(batch) && sent; ++i) {
    const kq_record *record = kq_batch_at(batch, i), *next = kq_batch_at(batch, i + 1);
    if (next && next->partition == record->partition && strcmp(next->topic, record->topic) == 0) continue;
    kq_topic_partition offset = KQ_TOPIC_PARTITION_INIT;
    offset.topic = record->topic, offset.partition = record->partition, offset.offset = record->offset + 1;
    offset.leader_epoch = record->leader_epoch;
    sent = well(kq_producer_send_offsets(producer, &offset, 1, group, -1));
  }
  kq_group_metadata_free(group);
  return sent;
}

int main(int argc, char** argv) {
  if (argc < 6) return fprintf(stderr, "usage: %s BROKERS GROUP FROM TO ID [MAX]\n", argv[0]), 2;
  const char* from[] = {argv[3]};
  const char* settings[] = {"bootstrap.servers", argv[1], "group.id", argv[2], "transactional.id", argv[5], "enable.auto.commit", "false",
                            "isolation.level", "read_committed", "auto.offset.reset", "earliest", "delivery.report", "none"};
  kq_config* config;
  well(kq_config_new(&config));
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i += 2) well(kq_config_set(config, settings[i], settings[i + 1]));
  well(kq_producer_new(config, &producer));
  well(kq_producer_begin(producer, 60000)); /* ends what an earlier run left open, before its offsets are asked for */
  well(kq_consumer_new(config, &consumer));
  well(kq_consumer_subscribe(consumer, from, 1));
  kq_config_free(config);

  for (long left = argc > 6 ? atol(argv[6]) : -1; left != 0;) {
    kq_batch* batch = NULL;
    well(kq_consumer_poll(consumer, 1000, &batch));
    const size_t count = kq_batch_kind_of(batch) == KQ_RECORDS ? kq_batch_count(batch) : 0;
    int good = 1;
    for (size_t i = 0; i < count && good; ++i) good = send_upper(kq_batch_at(batch, i), argv[4]);
    if (count > 0 && good) good = send_offsets(batch) && well(kq_producer_commit(producer, -1));
    if (!good) { /* nothing of it counts; a new start reads the batch again from where the group stands */
      well(kq_producer_abort(producer, -1));
      return 1;
    }
    if (count > 0) well(kq_producer_begin(producer, -1));
    if (left > 0) left = left > (long)count ? left - (long)count : 0;
    kq_batch_free(batch);
  }
  well(kq_producer_close(producer, -1));
  well(kq_consumer_close(consumer, -1));
  kq_producer_free(producer);
  kq_consumer_free(consumer);
  return 0;
}
