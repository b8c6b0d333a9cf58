/* An epoll loop of your own, with a timer beside it, and no thread that waits for kq: its descriptors say when to poll.
 *   epoll localhost:9092 ticks 5                       (sends a tick every 20 ms, prints each as it comes back, ends after 5)  */
#define _POSIX_C_SOURCE 200809L                       /* CLOCK_MONOTONIC, which C11 alone does not have */
#include <kq/kq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void check(kq_error *error) {
  if (!error) return;
  fprintf(stderr, "%s: %s\n", kq_error_name(error), kq_error_message(error));
  exit(1);
}

static void watch(int set, int descriptor) {
  struct epoll_event event = {EPOLLIN, {.fd = descriptor}};
  if (epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) != 0) perror("epoll_ctl"), exit(1);
}

/* 1: it is on its way.  0: not now (the topic is not known yet, or there is no room); the next tick of the timer tries again. */
static int send_tick(kq_producer *producer, const char *topic, unsigned long long tick) {
  char text[32];
  kq_record record = KQ_RECORD_INIT;
  record.topic = topic, record.partition = 0, record.value = text;
  record.value_len = (size_t)snprintf(text, sizeof text, "tick %llu", tick);
  kq_error *error = kq_producer_try_send(producer, &record); /* never waits: an event loop must not */
  if (error && kq_error_verdict(error) != KQ_RETRY) check(error);
  const int sent = error == NULL;
  kq_error_free(error);
  return sent;
}

/* Everything that there is: the descriptor may stand for several batches. */
static int take_records(kq_consumer *consumer) {
  int taken = 0;
  for (;;) {
    kq_batch *batch;
    check(kq_consumer_poll(consumer, 0, &batch));
    if (!batch) return taken;
    for (size_t i = 0; i < kq_batch_count(batch); ++i, ++taken)
      printf("%.*s\n", (int)kq_batch_at(batch, i)->value_len, (const char *)kq_batch_at(batch, i)->value);
    kq_batch_free(batch);
  }
}

static void take_deliveries(kq_producer *producer) {
  kq_batch *batch;
  check(kq_producer_poll(producer, 0, &batch));
  for (size_t i = 0; i < kq_batch_count(batch); ++i)
    if (kq_batch_error(batch, i)) check(kq_error_copy(kq_batch_error(batch, i)));
  kq_batch_free(batch);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: %s BROKERS TOPIC COUNT\n", argv[0]), 2;
  kq_config *config;
  kq_producer *producer;
  kq_consumer *consumer;
  check(kq_config_new(&config));
  check(kq_config_set(config, "bootstrap.servers", argv[1]));
  check(kq_producer_new(config, &producer));
  check(kq_consumer_new(config, &consumer));
  kq_topic_partition from = KQ_TOPIC_PARTITION_INIT;
  from.topic = argv[2], from.offset = KQ_EARLIEST;
  check(kq_consumer_assign(consumer, &from, 1));

  const int set = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const struct itimerspec every = {{0, 20000000}, {0, 20000000}};
  timerfd_settime(timer, 0, &every, NULL);
  watch(set, timer), watch(set, kq_producer_fd(producer)), watch(set, kq_consumer_fd(consumer));
  unsigned long long ticks = 0, late;
  for (int left = atoi(argv[3]); left > 0;) {
    struct epoll_event event;
    if (epoll_wait(set, &event, 1, -1) != 1) continue;
    if (event.data.fd == timer && read(timer, &late, sizeof late) == sizeof late) ticks += (unsigned)send_tick(producer, argv[2], ticks);
    if (event.data.fd == kq_producer_fd(producer)) take_deliveries(producer);
    if (event.data.fd == kq_consumer_fd(consumer)) left -= take_records(consumer);
  }
  close(timer), close(set);
  check(kq_producer_close(producer, 5000));
  kq_producer_free(producer);
  kq_consumer_free(consumer);
  kq_config_free(config);
  return 0;
}
