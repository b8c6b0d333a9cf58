import libkq as kq
import pytest


@pytest.fixture(params=["classic", "consumer"])
def protocol(request):
    return request.param


def fill(servers, topic, count=10):
    with kq.Producer(servers) as producer:
        for i in range(count):
            producer.send(topic, b"%d" % i, partition=i % 2)


def joined(consumer, count=1):
    """Polls until `count` partitions are assigned; the events on the way."""
    events = []
    while len(consumer.assignment()) != count:
        got = consumer.poll(20)
        assert got is not None
        if isinstance(got, kq.Event):
            events.append(got)
    return events


def test_a_group_goes_on_where_it_committed(servers, topic, name, protocol):
    fill(servers, topic)
    options = {"group": name, "start": "earliest", "group_protocol": protocol, "enable_auto_commit": False}
    with kq.Consumer(servers, topic, **options) as consumer:
        seen = [next(consumer) for _ in range(7)]
        consumer.commit()
        committed = {each.partition: each.offset for each in consumer.committed([(topic, 0), (topic, 1)])}
    for partition in (0, 1):
        assert max(committed[partition], 0) == sum(record.partition == partition for record in seen)
    with kq.Consumer(servers, topic, **options) as consumer:
        rest = [next(consumer) for _ in range(3)]
    assert len({(record.partition, record.offset) for record in seen + rest}) == 10


def test_commits_of_a_record_a_batch_and_a_list(servers, topic, name):
    fill(servers, topic)
    with kq.Consumer(servers, topic, group=name, start="earliest", enable_auto_commit=False, max_poll_records=3) as consumer:
        record = next(consumer)
        consumer.commit(record)
        assert consumer.committed([(topic, record.partition)])[0].offset == record.offset + 1
        batch = consumer.poll(10)
        consumer.commit(batch)
        last = batch[-1]
        assert consumer.committed([(topic, last.partition)])[0].offset == last.offset + 1
        consumer.commit([kq.TopicPartition(topic, 1, 2, "a note")])
        assert consumer.committed([(topic, 1)])[0][:4] == (topic, 1, 2, "a note")
        consumer.commit_async([(topic, 1, 3)], tag=42)
        while not isinstance(event := consumer.poll(10), kq.Committed):
            assert event is not None
        assert (event.tag, event.error) == (42, None)


def test_auto_commit_leaves_out_what_was_not_come_back_for(servers, topic, name):
    fill(servers, topic, 2)
    with kq.Consumer(servers, topic, group=name, start="earliest", max_poll_records=1) as consumer:
        next(consumer)
    with kq.Consumer(servers, topic, group=name, start="earliest") as consumer:
        assert len(list(consumer.records(1))) == 2
    with kq.Consumer(servers, topic, group=name) as consumer:
        assert list(consumer.records(1)) == []


def test_members_share_and_take_over(servers, topic, name, protocol):
    fill(servers, topic)
    events = []
    options = {"group": name, "start": "earliest", "group_protocol": protocol, "on_event": events.append}
    first = kq.Consumer(servers, topic, **options)
    assert len(list(first.records(2))) == 10
    assert isinstance(events[0], kq.Assigned) and {each.partition for each in events[0].partitions} == {0, 1}
    second = kq.Consumer(servers, topic, **options)
    for _ in range(200):
        list(first.records(0.1)), list(second.records(0.1))
        if len(first.assignment()) == len(second.assignment()) == 1:
            break
    assert len(first.assignment()) == len(second.assignment()) == 1
    assert any(isinstance(event, kq.Revoked) for event in events)
    first.close()
    for _ in range(200):
        list(second.records(0.1))
        if len(second.assignment()) == 2:
            break
    assert len(second.assignment()) == 2
    second.close()


def test_a_transaction_is_all_or_nothing(servers, topic, name):
    with kq.Producer(servers, transactional_id=name) as producer:
        with producer.transaction():
            producer.send(topic, b"seen", partition=0)
        with pytest.raises(ZeroDivisionError):
            with producer.transaction():
                producer.send(topic, b"not seen", partition=0)
                producer.flush(20)
                raise ZeroDivisionError
        with producer.transaction():
            producer.send(topic, b"seen too", partition=0)
    with kq.Consumer(servers, topic, isolation_level="read_committed") as consumer:
        assert [record.value for record in consumer.records(1)] == [b"seen", b"seen too"]


def test_offsets_are_part_of_a_transaction(servers, topic, name):
    fill(servers, topic, 6)
    out = name + "-out"
    with kq.Admin(servers) as admin:
        admin.create_topics(out, partitions=1)
    options = {"group": name, "start": "earliest", "enable_auto_commit": False}
    with kq.Producer(servers, transactional_id=name) as producer, kq.Consumer(servers, topic, **options) as consumer:
        for _ in range(4):
            record = next(consumer)
            with producer.transaction():
                producer.send(out, record.value)
                producer.send_offsets(consumer)
    with kq.Producer(servers, transactional_id=name) as producer, kq.Consumer(servers, topic, **options) as consumer:
        for record in consumer.records(1):
            with producer.transaction():
                producer.send(out, record.value)
                producer.send_offsets(consumer)
    with kq.Consumer(servers, out, isolation_level="read_committed") as consumer:
        assert sorted(record.value for record in consumer.records(1)) == [b"%d" % i for i in range(6)]


def test_a_second_producer_fences_the_first(servers, topic, name):
    first = kq.Producer(servers, transactional_id=name)
    first.begin()
    first.send(topic, b"lost")
    first.flush(20)
    with kq.Producer(servers, transactional_id=name) as second:
        with second.transaction():
            second.send(topic, b"won")
        with pytest.raises(kq.FatalError):
            first.commit(20)
    first.close(1)
