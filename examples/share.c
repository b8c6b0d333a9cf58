/* Works off a topic together with other members of a share group: each record goes to one of them, and comes again where it failed.
 *   share localhost:9092 workers jobs                          (stops after MAX records, if a fourth word gives it)            */
#include <kq/kq.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(kq_error* error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  if (kq_error_verdict(error) != KQ_RETRY) exit(1);
  kq_error_free(error);
}

/* What became of a job, by its name: "fail ..." works at the second attempt, "bad ..." never will. */
static kq_acknowledge work(const kq_record* record) {
  const char* job = record->value ? (const char*)record->value : "";
  const char* name = record->value_len >= 4 ? job : "    ";
  const kq_acknowledge how = memcmp(name, "bad ", 4) == 0                                  ? KQ_REJECT
                             : memcmp(name, "fail", 4) == 0 && record->delivery_count == 1 ? KQ_RELEASE
                                                                                           : KQ_ACCEPT;
  static const char* const words[] = {"", "accepted", "released", "rejected"};
  printf("%s-%d @%lld #%d  %s  %.*s\n", record->topic, record->partition, (long long)record->offset, record->delivery_count, words[how],
         (int)record->value_len, job);
  return how;
}

int main(int argc, char** argv) {
  if (argc < 4) return fprintf(stderr, "usage: %s BROKERS GROUP TOPIC [MAX]\n", argv[0]), 2;
  const char* topics[] = {argv[3]};
  kq_config* config;
  kq_share_consumer* consumer;
  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", argv[1]));
  check(kq_config_set(config, "group.id", argv[2]));
  check(kq_config_set(config, "share.acknowledgement.mode", "explicit"));
  check(kq_share_consumer_new(config, &consumer));
  check(kq_share_consumer_subscribe(consumer, topics, 1));

  for (long left = argc > 4 ? atol(argv[4]) : INT32_MAX; left > 0;) {
    kq_batch* batch = NULL;
    check(kq_share_consumer_poll(consumer, 1000, &batch));
    for (size_t i = 0; i < kq_batch_count(batch); ++i) {
      const kq_record* record = kq_batch_at(batch, i);
      if (kq_batch_kind_of(batch) == KQ_RECORDS) {
        if (i == kq_batch_count(batch) / 2) /* a long batch: what is left of it begins a new lock */
          check(kq_share_consumer_acknowledge(consumer, batch, i, SIZE_MAX, KQ_RENEW));
        check(kq_share_consumer_acknowledge(consumer, batch, i, 1, work(record)));
        --left;
      } else { /* KQ_ACKNOWLEDGED: the broker did not take it, so it comes again */
        fprintf(stderr, "%s-%d @%lld: %s\n", record->topic, record->partition, (long long)record->offset,
                kq_error_message(kq_batch_error(batch, i)));
      }
    }
    fflush(stdout);
    kq_batch_free(batch);
  }
  check(kq_share_consumer_close(consumer, -1)); /* says what is left to say, and leaves the group */
  kq_share_consumer_free(consumer);
  kq_config_free(config);
  return 0;
}
