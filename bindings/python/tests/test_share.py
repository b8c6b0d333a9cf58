import asyncio

import libkq as kq
import pytest


def test_records_are_accepted_released_and_rejected(servers, topic, name):
    with kq.Admin(servers) as admin:
        admin.alter_configs(resource_type="group", resource=name, config="share.auto.offset.reset", value="earliest")
    kq.Producer(servers).send_many(topic, [b"%d" % i for i in range(6)], partition=0).wait(20)
    seen = {}
    with kq.ShareConsumer(servers, topic, group=name, share_acknowledgement_mode="explicit") as consumer:
        for record in consumer.records(15):
            number = int(record.value)
            seen.setdefault(number, []).append(record.delivery_count)
            consumer.acknowledge(record, "reject" if number == 5 else "release" if number == 2 and record.delivery_count == 1 else "accept")
            if len(seen) == 6 and len(seen[2]) == 2:
                break
        consumer.commit(20)
        with pytest.raises(ValueError, match="accept"):
            consumer.acknowledge(record, "eat")
    assert seen[2] == [1, 2] and all(counts == [1] for number, counts in seen.items() if number != 2)
    with kq.ShareConsumer(servers, topic, group=name) as consumer:
        assert list(consumer.records(1)) == []
    with pytest.raises(kq.ClosedError):
        consumer.poll(0)


def test_asyncio_members_divide_the_records(servers, topic, name):
    async def main():
        async with kq.AsyncAdmin(servers) as admin:
            await admin.alter_configs(resource_type="group", resource=name, config="share.auto.offset.reset", value="earliest")
        await kq.Producer(servers).send_many(topic, [b"%d" % i for i in range(200)])
        seen = []

        async def work():
            options = {"group": name, "share_acknowledgement_mode": "explicit", "max_poll_records": 10}
            async with kq.AsyncShareConsumer(servers, topic, **options) as consumer:
                async for batch in consumer.batches(15):
                    seen.extend(batch.values())
                    consumer.acknowledge(batch)
                    await consumer.commit(20)
                    assert consumer.lock_timeout > 0
                    if len(seen) >= 200:
                        break
            with pytest.raises(kq.ClosedError):
                await consumer.poll(0)

        members = [asyncio.create_task(work()) for _ in range(2)]
        await asyncio.wait(members, return_when=asyncio.FIRST_COMPLETED)
        for member in members:
            if not member.done():
                member.cancel()
        for result in await asyncio.gather(*members, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError), result
        assert sorted(map(int, seen)) == list(range(200))

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.acknowledge(None),
        lambda c: c.acknowledge(7),
        lambda c: c.subscribe(None),
        lambda c: c.subscribe(7),
        lambda c: c.poll("1"),
        lambda c: c.commit(-1),
        lambda c: c.__init__("localhost:1", group="g"),
    ],
)
def test_wrong_arguments(broker, name, call):
    with kq.ShareConsumer(broker, group=name) as consumer:
        with pytest.raises((TypeError, ValueError, RuntimeError, kq.KqError)) as raised:
            call(consumer)
        assert str(raised.value)


def test_a_closed_member_says_so(broker, name):
    consumer = kq.ShareConsumer(broker, name, group=name)
    consumer.close()
    consumer.close()
    assert consumer.closed and list(consumer) == []
    for call in (lambda: consumer.poll(0), lambda: consumer.commit(), lambda: consumer.subscribe("t"), lambda: consumer.fileno()):
        with pytest.raises(kq.ClosedError, match="closed"):
            call()
    with pytest.raises(kq.KqError):
        kq.ShareConsumer(broker, name)
    with pytest.raises(TypeError):
        kq.ShareConsumer(broker, name, group=name, value=7)
