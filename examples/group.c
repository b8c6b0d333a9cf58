/* Reads topics as a member of a group, and commits a record only after it was dealt with: at least once.
 *   group localhost:9092 readers greetings                     (stops after MAX records, if a fourth word gives it)            */
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>

static void check(kq_error* error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  if (kq_error_verdict(error) != KQ_RETRY) exit(1); /* a rebalance, for instance: what is not committed comes again */
  kq_error_free(error);
}

int main(int argc, char** argv) {
  if (argc < 4) return fprintf(stderr, "usage: %s BROKERS GROUP TOPIC [MAX]\n", argv[0]), 2;
  const char* topics[] = {argv[3]};
  kq_config* config;
  kq_consumer* consumer;
  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", argv[1]));
  check(kq_config_set(config, "group.id", argv[2]));
  check(kq_config_set(config, "enable.auto.commit", "false"));
  check(kq_config_set(config, "auto.offset.reset", "earliest"));
  check(kq_consumer_new(config, &consumer));
  check(kq_consumer_subscribe(consumer, topics, 1));

  for (long left = argc > 4 ? atol(argv[4]) : -1; left != 0;) {
    kq_batch* batch = NULL;
    check(kq_consumer_poll(consumer, 1000, &batch));
    for (size_t i = 0; i < kq_batch_count(batch); ++i) {
      const kq_record* record = kq_batch_at(batch, i);
      if (kq_batch_kind_of(batch) == KQ_RECORDS) {
        printf("%s-%d @%lld  %.*s\n", record->topic, record->partition, (long long)record->offset, (int)record->value_len,
               record->value ? (const char*)record->value : "");
        if (left > 0) --left;
      } else if (kq_batch_kind_of(batch) == KQ_ASSIGNED) {
        fprintf(stderr, "+ %s-%d\n", record->topic, record->partition);
      } else { /* KQ_REVOKED: freeing the batch lets them go; KQ_LOST: they are gone already */
        fprintf(stderr, "- %s-%d\n", record->topic, record->partition);
      }
    }
    fflush(stdout);
    /* At most once: commit here, before the loop above has looked at the records. */
    if (kq_batch_kind_of(batch) == KQ_RECORDS) check(kq_consumer_commit(consumer, NULL, 0, -1));
    kq_batch_free(batch);
  }
  check(kq_consumer_close(consumer, -1));
  kq_consumer_free(consumer);
  kq_config_free(config);
  return 0;
}
