"""Memory stays flat while records pass."""

import asyncio
import gc
import os

import libkq as kq

MILLION = 1_000_000 if os.environ.get("KQ_TEST_TIER") == "full" else 200_000
LEAK_BYTES_A_RECORD = 8


def resident():
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grows(run):
    """Bytes a record by which each run leaves the process larger.  Memory that is merely warmed up stops growing after a few; a leak does not."""
    run()
    growth = []
    for _ in range(5):
        before = resident()
        run()
        growth.append((resident() - before) / MILLION)
        if growth[-1] < LEAK_BYTES_A_RECORD:
            break
    return min(growth)


def test_a_million_records_leave_nothing(name):
    import subprocess
    import sys

    # The broker in another process: its page index and caches are not what is measured.
    server = subprocess.Popen(
        [sys.executable, "-c", "import libkq as kq\nwith kq.Broker() as b:\n print(b.address, flush=True)\n input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        servers = server.stdout.readline().strip()
        part = MILLION // 4
        with kq.Producer(servers, buffer_memory=8_000_000) as producer:
            values = [b"%0100d" % i for i in range(1000)]

            def produce():
                for _ in range(part // 1000):
                    producer.send_many(name, values).wait(60)
                for i in range(part):
                    producer.send(name, values[i % 1000], b"key", headers=[("h", b"1")])
                producer.flush()

            def consume():
                with kq.Consumer(servers, name, max_poll_records=500, fetch_buffer_memory=8_000_000) as consumer:
                    seen = 0
                    for record in consumer:
                        assert record.value and record.topic == name
                        record.headers, record.key, record.value_view
                        seen += 1
                        if seen == part:
                            break
                    for batch in consumer.batches():
                        seen += len(batch.values())
                        if seen >= 2 * part:
                            break

            async def consume_async():
                async with kq.AsyncConsumer(servers, name, max_poll_records=500, fetch_buffer_memory=8_000_000) as consumer:
                    seen = 0
                    async for record in consumer:
                        seen += record.value is not None
                        if seen == part:
                            break

            assert grows(produce) < LEAK_BYTES_A_RECORD
            assert grows(consume) < LEAK_BYTES_A_RECORD
            assert grows(lambda: asyncio.run(consume_async())) < LEAK_BYTES_A_RECORD
    finally:
        server.stdin.close()
        server.wait(60)


def test_dropped_objects_are_freed(broker, name):
    """Producers, consumers, deliveries and batches, many times over, without threads left behind."""

    def threads():
        return len(os.listdir("/proc/self/task"))

    kq.Producer(broker).send(name, b"x").wait(20)
    gc.collect()
    before = threads()
    for _ in range(30):
        with kq.Producer(broker) as producer, kq.Consumer(broker, name) as consumer:
            producer.send(name, b"x").wait(20)
            next(consumer)
    gc.collect()
    assert threads() <= before + 2
