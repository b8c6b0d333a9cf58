/* The main job in one process: a broker, a record in, the same record out.  Linked in every way that a program may be linked.
 *   main_job DIRECTORY                                                                                                         */
#include <kq/broker.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char topic[] = "greetings", text[] = "hello";

static void check(kq_error *error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  exit(1);
}

static void put_in(const kq_config *config) {
  kq_producer *producer;
  check(kq_producer_new(config, &producer));
  kq_record record = KQ_RECORD_INIT;
  record.topic = topic, record.value = text, record.value_len = strlen(text);
  check(kq_producer_send(producer, &record));
  check(kq_producer_close(producer, -1));
  kq_producer_free(producer);
}

/* 1: the record is the one that went in. */
static int take_out(const kq_config *config) {
  kq_consumer *consumer;
  check(kq_consumer_new(config, &consumer));
  kq_topic_partition from = KQ_TOPIC_PARTITION_INIT;
  from.topic = topic, from.offset = KQ_EARLIEST;
  check(kq_consumer_assign(consumer, &from, 1));
  kq_batch *batch = NULL;
  while (!batch) check(kq_consumer_poll(consumer, -1, &batch));
  const kq_record *record = kq_batch_at(batch, 0);
  const int same = record->offset == 0 && record->value_len == strlen(text) && memcmp(record->value, text, strlen(text)) == 0;
  kq_batch_free(batch);
  check(kq_consumer_close(consumer, -1));
  kq_consumer_free(consumer);
  return same;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]), 2;
  kq_config *config;
  check(kq_config_new(&config));
  check(kq_config_set(config, "log.dirs", argv[1]));
  kq_broker *broker;
  check(kq_broker_start(config, 2, &broker));
  kq_config_free(config);

  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", kq_broker_address(broker, 0)));
  put_in(config);
  const int same = take_out(config);
  kq_config_free(config);
  check(kq_broker_stop(broker));
  kq_broker_free(broker);
  puts(same ? "the same record came back" : "another record came back");
  return !same;
}
