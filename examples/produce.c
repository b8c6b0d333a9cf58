/* Sends each line of standard input as a record, and tells what became of it.
 *   produce localhost:9092 greetings < lines.txt                                                                               */
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(kq_error *error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  exit(1);
}

static size_t failed;

static void deliveries(kq_producer *producer, int32_t timeout_ms) {
  kq_batch *batch;
  for (check(kq_producer_poll(producer, timeout_ms, &batch)); batch; check(kq_producer_poll(producer, 0, &batch))) {
    for (size_t i = 0; i < kq_batch_count(batch); ++i) {
      const kq_record *record = kq_batch_at(batch, i);
      const kq_error *error = kq_batch_error(batch, i);
      if (error) failed++, fprintf(stderr, "line %llu: %s\n", (unsigned long long)record->tag, kq_error_message(error));
      else printf("line %llu: %s-%d @%lld\n", (unsigned long long)record->tag, record->topic, record->partition, (long long)record->offset);
    }
    kq_batch_free(batch);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: %s BROKERS TOPIC\n", argv[0]), 2;
  kq_config *config;
  kq_producer *producer;
  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", argv[1]));
  check(kq_producer_new(config, &producer));

  char line[65536];
  kq_record record = KQ_RECORD_INIT;
  record.topic = argv[2];
  while (fgets(line, sizeof line, stdin)) {
    record.value = line;
    record.value_len = strcspn(line, "\n");
    record.tag++;                                     /* comes back with the delivery */
    check(kq_producer_send(producer, &record));       /* copies; waits only where memory is full */
    deliveries(producer, 0);
  }
  check(kq_producer_close(producer, -1));             /* all are acknowledged, or have failed */
  deliveries(producer, 0);
  kq_producer_free(producer);
  kq_config_free(config);
  return failed > 0;
}
