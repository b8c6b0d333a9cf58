/* The bench of librdkafka, by its fastest public calls, with the same work as `kq bench`: one produce call for each
 * record, each with its own bytes, every delivery counted; consuming in batches, every byte read.
 *
 *   rdkafka_bench produce|consume|latency BROKERS TOPIC RECORDS SIZE WARMUP [key=value...] */
#include "bench_peer.h"

#include <librdkafka/rdkafka.h>

static uint64_t delivered, failed;

static void on_delivery(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque) {
  (void)client, (void)opaque;
  if (message->err)
    failed++;
  else
    delivered++;
}

static void fail(const char* what) {
  fprintf(stderr, "rdkafka_bench: %s\n", what);
  exit(1);
}

static rd_kafka_t* client_of(rd_kafka_type_t type, const char* brokers, int count, char** settings) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
  for (int i = 0; i < count; i++) {
    char* equals = strchr(settings[i], '=');
    if (!equals) fail("settings are key=value");
    *equals = '\0';
    if (rd_kafka_conf_set(conf, settings[i], equals + 1, error, sizeof error)) fail(error);
  }
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  rd_kafka_t* client = rd_kafka_new(type, conf, error, sizeof error);
  if (!client) fail(error);
  return client;
}

static void send_records(rd_kafka_t* client, rd_kafka_topic_t* topic, unsigned char* values, uint64_t first, uint64_t count,
                         size_t size) {
  for (uint64_t i = 0; i < count; i++) {
    unsigned char* value = bench_value_at(values, first + i, size);
    while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, size, NULL, 0, NULL)) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(client, 100);
    }
    if (i % 1024 == 0) rd_kafka_poll(client, 0);
  }
  rd_kafka_flush(client, 120000);
}

static void produce(const char* brokers, const char* name, uint64_t records, size_t size, uint64_t warmup, int count,
                    char** settings) {
  rd_kafka_t* client = client_of(RD_KAFKA_PRODUCER, brokers, count, settings);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name, NULL);
  unsigned char* values = bench_values(size);
  send_records(client, topic, values, 0, warmup, size);
  delivered = failed = 0;
  bench_meter start = bench_now();
  send_records(client, topic, values, warmup, records, size);
  bench_report(start, delivered, delivered * size, failed, 0);
}

static void consume(const char* brokers, const char* name, uint64_t records, int count, char** settings) {
  enum { batch = 10000 };
  static rd_kafka_message_t* messages[batch];
  rd_kafka_t* client = client_of(RD_KAFKA_CONSUMER, brokers, count, settings);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name, NULL);
  if (rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING)) fail("cannot start");
  uint64_t seen = 0, sum = 0, bytes = 0, first = 0, first_bytes = 0;
  bench_meter start = bench_now();
  while (seen < records) {
    ssize_t got = rd_kafka_consume_batch(topic, 0, 1000, messages, batch);
    if (got < 0) fail("consume");
    for (ssize_t i = 0; i < got; i++) {
      rd_kafka_message_t* message = messages[i];
      if (!message->err && seen < records) {
        sum += bench_sum(message->key, message->key_len) + bench_sum(message->payload, message->len);
        bytes += message->key_len + message->len;
        seen++;
      }
      rd_kafka_message_destroy(message);
    }
    if (first == 0 && seen > 0) {
      first = seen, first_bytes = bytes;
      start = bench_now();
    }
  }
  bench_report(start, seen - first, bytes - first_bytes, 0, sum);
}

/* One record at a time, to a consumer that waits for it. */
static void latency(const char* brokers, const char* name, uint64_t records, size_t size, uint64_t warmup, int count, char** settings) {
  char* reading[] = {strdup("log_level=3"), strdup("fetch.min.bytes=1")};
  rd_kafka_t* producer = client_of(RD_KAFKA_PRODUCER, brokers, count, settings);
  rd_kafka_t* consumer = client_of(RD_KAFKA_CONSUMER, brokers, 2, reading);
  rd_kafka_topic_t *to = rd_kafka_topic_new(producer, name, NULL), *from = rd_kafka_topic_new(consumer, name, NULL);
  int64_t low, end;
  if (rd_kafka_query_watermark_offsets(consumer, name, 0, &low, &end, 10000)) fail("no end of the partition");
  if (rd_kafka_consume_start(from, 0, end)) fail("cannot start");
  unsigned char* values = bench_values(size);
  double* microseconds = malloc(records * sizeof(double));
  for (uint64_t i = 0; i < warmup + records; i++) {
    unsigned char* value = bench_value_at(values, i, size);
    const bench_meter start = bench_now();
    if (rd_kafka_produce(to, 0, RD_KAFKA_MSG_F_COPY, value, size, NULL, 0, NULL)) fail(rd_kafka_err2str(rd_kafka_last_error()));
    for (int arrived = 0; !arrived;) {
      rd_kafka_message_t* message = rd_kafka_consume(from, 0, 1000);
      if (!message) continue;
      arrived = !message->err && message->len == size && memcmp(message->payload, value, size) == 0;
      rd_kafka_message_destroy(message);
    }
    if (i >= warmup) microseconds[i - warmup] = (bench_now().wall - start.wall) * 1e6;
    rd_kafka_poll(producer, 0);
  }
  bench_report_latency(microseconds, records);
}

int main(int argc, char** argv) {
  if (argc < 7) fail("usage: rdkafka_bench produce|consume|latency BROKERS TOPIC RECORDS SIZE WARMUP [key=value...]");
  uint64_t records = strtoull(argv[4], NULL, 10), warmup = strtoull(argv[6], NULL, 10);
  size_t size = strtoull(argv[5], NULL, 10);
  if (strcmp(argv[1], "produce") == 0)
    produce(argv[2], argv[3], records, size, warmup, argc - 7, argv + 7);
  else if (strcmp(argv[1], "latency") == 0)
    latency(argv[2], argv[3], records, size, warmup, argc - 7, argv + 7);
  else
    consume(argv[2], argv[3], records, argc - 7, argv + 7);
  fflush(stdout);
  _Exit(0); /* what is left to free is not measured */
}
