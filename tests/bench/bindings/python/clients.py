"""One measurement in a process of its own: clients.py CLIENT SERVERS TOPIC RECORDS SIZE.  Prints CPU seconds and wall seconds of the work alone."""

import asyncio
import resource
import sys
import time

CHUNK = 10_000


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def values(size):
    return [(b"%08d" % i).ljust(size, b"x") for i in range(CHUNK)]


def kq_send_many(servers, topic, count, size):
    import libkq as kq

    chunk = values(size)
    with kq.Producer(servers, linger_ms=5, compression_type="none") as producer:
        yield
        for _ in range(count // CHUNK):
            producer.send_many(topic, chunk)
        producer.flush()


def kq_send(servers, topic, count, size):
    import libkq as kq

    chunk = values(size)
    with kq.Producer(servers, linger_ms=5, compression_type="none") as producer:
        yield
        send = producer.send
        for _ in range(count // CHUNK):
            for value in chunk:
                send(topic, value)
        producer.flush()


def confluent_produce(servers, topic, count, size):
    import confluent_kafka

    chunk = values(size)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": servers, "linger.ms": 5, "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000}
    )
    yield
    produce = producer.produce
    for _ in range(count // CHUNK):
        for value in chunk:
            while True:
                try:
                    produce(topic, value)
                    break
                except BufferError:
                    producer.poll(0.01)
        producer.poll(0)
    producer.flush()


def kq_batches(servers, topic, count, size):
    import libkq as kq

    with kq.Consumer(servers, topic) as consumer:
        yield
        seen = 0
        for batch in consumer.batches():
            for value in batch.values():
                assert value
            seen += len(batch)
            if seen >= count:
                return


def kq_records(servers, topic, count, size):
    import libkq as kq

    with kq.Consumer(servers, topic) as consumer:
        yield
        seen = 0
        for record in consumer:
            assert record.value
            seen += 1
            if seen == count:
                return


def _confluent_consumer(servers, topic):
    import confluent_kafka

    consumer = confluent_kafka.Consumer({"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in partitions])
    return consumer


def confluent_consume(servers, topic, count, size):
    consumer = _confluent_consumer(servers, topic)
    yield
    seen = 0
    while seen < count:
        for message in consumer.consume(500, 0.1):
            assert message.value()
            seen += 1
    consumer.close()


def confluent_poll(servers, topic, count, size):
    consumer = _confluent_consumer(servers, topic)
    yield
    seen = 0
    while seen < count:
        message = consumer.poll(1)
        if message is not None:
            assert message.value()
            seen += 1
    consumer.close()


async def kq_async(servers, topic, count, size, begin):
    import libkq as kq

    async with kq.AsyncConsumer(servers, topic) as consumer:
        begin()
        seen = 0
        async for record in consumer:
            assert record.value
            seen += 1
            if seen == count:
                return


async def aiokafka_async(servers, topic, count, size, begin):
    import aiokafka

    consumer = aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    begin()
    seen = 0
    async for record in consumer:
        assert record.value
        seen += 1
        if seen == count:
            break
    await consumer.stop()


def main(client, servers, topic, count, size):
    started = [0.0, 0.0]

    def begin():
        started[:] = cpu(), time.monotonic()

    work = globals()[client]
    if client.endswith("_async"):
        asyncio.run(work(servers, topic, int(count), int(size), begin))
    else:
        steps = work(servers, topic, int(count), int(size))
        next(steps)
        begin()
        for _ in steps:
            pass
    print(cpu() - started[0], time.monotonic() - started[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
