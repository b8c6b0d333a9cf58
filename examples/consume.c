/* Prints every record of a topic, from the beginning to the end that it has now.
 *   consume localhost:9092 greetings                                                                                           */
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>

static void check(kq_error *error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: %s BROKERS TOPIC\n", argv[0]), 2;
  kq_config *config;
  kq_consumer *consumer;
  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", argv[1]));
  check(kq_config_set(config, "enable.partition.eof", "true"));
  check(kq_consumer_new(config, &consumer));

  int32_t partitions;
  check(kq_consumer_partition_count(consumer, argv[2], 10000, &partitions));
  kq_topic_partition *all = calloc((size_t)partitions, sizeof *all);
  for (int32_t i = 0; i < partitions; ++i) {
    kq_topic_partition one = {sizeof one, argv[2], i, KQ_EARLIEST, -1, NULL};
    all[i] = one;
  }
  check(kq_consumer_assign(consumer, all, (size_t)partitions));

  for (int32_t ended = 0; ended < partitions;) {
    kq_batch *batch;
    check(kq_consumer_poll(consumer, -1, &batch));
    if (kq_batch_event(batch) == KQ_END_OF_PARTITION) {
      ended += (int32_t)kq_batch_count(batch);
    } else {
      for (size_t i = 0; i < kq_batch_count(batch); ++i) {
        const kq_record *record = kq_batch_at(batch, i); /* points into what the broker sent: nothing was copied */
        printf("%s-%d @%lld  %.*s\n", record->topic, record->partition, (long long)record->offset, (int)record->value_len,
               record->value ? (const char *)record->value : "");
      }
    }
    kq_batch_free(batch);
  }
  free(all);
  check(kq_consumer_close(consumer, -1));
  kq_consumer_free(consumer);
  kq_config_free(config);
  return 0;
}
