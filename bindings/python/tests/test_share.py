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
