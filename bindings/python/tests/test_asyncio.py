import asyncio

import libkq as kq
import pytest


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_records_go_and_come_without_threads(servers, topic):
    async def main():
        async with kq.AsyncProducer(servers) as producer:
            delivery = await producer.send(topic, b"0", partition=0)
            assert delivery.offset == 0
            sent = await asyncio.gather(*(producer.send(topic, b"%d" % i, partition=0) for i in range(1, 500)))
            assert [each.offset for each in sent] == list(range(1, 500))
            producer.send(topic, b"last", partition=1)
        async with kq.AsyncConsumer(servers, topic) as consumer:
            values = {0: [], 1: []}
            async for record in consumer.records(1):
                values[record.partition].append(record.value)
            assert values == {0: [b"%d" % i for i in range(500)], 1: [b"last"]}

    run(main())


def test_a_group_commits_what_was_handed_out(servers, topic, name):
    async def main():
        await kq.Producer(servers).send_many(topic, [b"%d" % i for i in range(10)], partition=0)
        options = {"group": name, "start": "earliest", "enable_auto_commit": False}
        async with kq.AsyncConsumer(servers, topic, **options) as consumer:
            async for record in consumer:
                if record.offset == 6:
                    await consumer.commit()
                    break
        async with kq.AsyncConsumer(servers, topic, **options) as consumer:
            assert [record.offset async for record in consumer.records(2)] == [7, 8, 9]
            assert await consumer.committed([(topic, 0)]) == [kq.TopicPartition(topic, 0, 7, None, 0)]

    run(main())


def test_others_run_while_one_waits(servers, topic):
    async def main():
        async with kq.AsyncConsumer(servers, topic) as consumer, kq.AsyncProducer(servers) as producer:
            waiting = asyncio.create_task(consumer.poll())
            ticks = 0
            while ticks < 20:
                await asyncio.sleep(0.005)
                ticks += 1
            assert not waiting.done()
            await producer.send(topic, b"now")
            assert (await waiting)[0].value == b"now"
            waiting = asyncio.create_task(consumer.poll())
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await consumer.poll(0.1) is None

    run(main())


def test_several_tasks_may_wait_for_one_consumer(servers, topic):
    async def main():
        async with kq.AsyncConsumer(servers, topic) as consumer, kq.AsyncProducer(servers) as producer:
            tasks = [asyncio.create_task(consumer.poll(20)) for _ in range(3)]
            await asyncio.sleep(0.05)
            tasks.pop().cancel()
            for partition in (0, 1):
                await producer.send(topic, b"%d" % partition, partition=partition)
                await asyncio.sleep(0.05)
            assert sorted(batch[0].value for batch in await asyncio.gather(*tasks)) == [b"0", b"1"]

    run(main())


def test_transactions(servers, topic, name):
    async def main():
        async with kq.AsyncProducer(servers, transactional_id=name) as producer:
            async with producer.transaction():
                await producer.send(topic, b"seen", partition=0)
            with pytest.raises(ZeroDivisionError):
                async with producer.transaction():
                    await producer.send(topic, b"not seen", partition=0)
                    raise ZeroDivisionError
        async with kq.AsyncConsumer(servers, topic, isolation_level="read_committed") as consumer:
            assert [record.value async for record in consumer.records(1)] == [b"seen"]

    run(main())


def test_administration(servers, name):
    async def main():
        async with kq.AsyncAdmin(servers) as admin:
            await admin.create_topics(name, partitions=3)
            [row] = await admin.describe_topics(name)
            assert len(row.partitions) == 3
            with pytest.raises(kq.RefusedError):
                await admin.create_topics(name)

    run(main())


def test_errors_reach_the_one_who_awaits(servers, topic):
    async def main():
        async with kq.AsyncProducer(servers, max_request_size=10_000_000) as producer:
            with pytest.raises(kq.RefusedError):
                await producer.send(topic, bytes(2_000_000))
            with pytest.raises(TypeError):
                await producer.send(topic, 7)
        with pytest.raises(kq.ClosedError):
            await producer.send(topic, b"x")

    run(main())


def test_a_producer_without_a_cluster_gives_up():
    async def main():
        producer = kq.AsyncProducer("127.0.0.1:1", max_block_ms=200)
        with pytest.raises(kq.TimedOutError):
            await producer.send("t", b"x")
        await producer.close(0)

    run(main())
