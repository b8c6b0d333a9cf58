/* One thread, one plain poll(2) loop, no thread of kq's: sends ten records and reads them back.
 *   poll_loop localhost:9092 greetings                                                                                         */
#include <kq/kq.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { records = 10 };

static void check(kq_error *error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: %s BROKERS TOPIC\n", argv[0]), 2;
  kq_config *config;
  kq_loop *loop;
  kq_producer *producer;
  kq_consumer *consumer;
  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", argv[1]));
  check(kq_loop_new(KQ_LOOP_HOST, &loop));
  check(kq_producer_new_on(loop, config, &producer));
  check(kq_consumer_new_on(loop, config, &consumer));

  int sent = 0, delivered = 0, received = 0;
  while (received < records) {
    struct pollfd descriptors[] = {{kq_loop_fd(loop), POLLIN, 0}};   /* and all others that your program has */
    poll(descriptors, 1, sent < records ? 1 : kq_loop_next_deadline_ms(loop));
    check(kq_loop_step(loop));

    kq_record record = KQ_RECORD_INIT;
    record.topic = argv[2];
    record.partition = 0;
    record.value = "from a loop";
    record.value_len = strlen(record.value);
    kq_error *full = NULL;
    while (sent < records && !(full = kq_producer_try_send(producer, &record))) ++sent;
    if (full && kq_error_verdict(full) != KQ_RETRY) check(full);
    kq_error_free(full);

    kq_batch *batch;
    check(kq_producer_poll(producer, 0, &batch));
    for (size_t i = 0; i < kq_batch_count(batch); ++i, ++delivered) {
      if (kq_batch_error(batch, i)) check(kq_error_copy(kq_batch_error(batch, i)));
      kq_topic_partition from = {sizeof from, argv[2], 0, kq_batch_at(batch, i)->offset, -1, NULL};
      if (delivered == 0) check(kq_consumer_assign(consumer, &from, 1));
    }
    kq_batch_free(batch);

    check(kq_consumer_poll(consumer, 0, &batch));
    received += (int)kq_batch_count(batch);
    kq_batch_free(batch);
  }
  printf("sent %d, delivered %d, received %d\n", sent, delivered, received);
  kq_consumer_free(consumer);
  kq_producer_free(producer);
  kq_loop_free(loop);
  kq_config_free(config);
  return 0;
}
