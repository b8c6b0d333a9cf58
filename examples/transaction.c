/* Every line of the input is a record, of a transaction that the line "commit" or "abort" ends.
 *   printf 'a\nb\ncommit\nc\nabort\n' | transaction localhost:9092 greetings my-id                                           */
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* True: well.  What must be aborted is; after anything worse there is no use going on. */
static int well(kq_producer* producer, kq_error* error) {
  if (!error) return 1;
  const kq_verdict verdict = kq_error_verdict(error);
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  kq_error_free(error);
  if (verdict != KQ_ABORT) exit(verdict == KQ_FATAL ? 3 : 1);
  if (!well(producer, kq_producer_abort(producer, -1))) exit(1);
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 4) return fprintf(stderr, "usage: %s BROKERS TOPIC ID\n", argv[0]), 2;
  kq_config* config;
  kq_producer* producer = NULL;
  well(producer, kq_config_new(&config));
  well(producer, kq_config_set(config, "bootstrap.servers", argv[1]));
  well(producer, kq_config_set(config, "transactional.id", argv[3]));
  well(producer, kq_config_set(config, "delivery.report", "none"));
  well(producer, kq_producer_new(config, &producer));
  kq_config_free(config);

  char line[4096];
  int open = well(producer, kq_producer_begin(producer, 30000));
  puts("begun");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!open && !(open = well(producer, kq_producer_begin(producer, 30000)))) continue;
    if (strcmp(line, "commit") == 0 || strcmp(line, "abort") == 0) {
      const int commits = line[0] == 'c';
      if (well(producer, commits ? kq_producer_commit(producer, 30000) : kq_producer_abort(producer, 30000))) puts(commits ? "committed" : "aborted");
      fflush(stdout);
      open = 0;
      continue;
    }
    kq_record record = KQ_RECORD_INIT;
    record.topic = argv[2];
    record.value = line, record.value_len = strlen(line);
    open = well(producer, kq_producer_send(producer, &record));
  }
  well(producer, kq_producer_close(producer, 30000)); /* aborts what was not committed */
  kq_producer_free(producer);
  return 0;
}
