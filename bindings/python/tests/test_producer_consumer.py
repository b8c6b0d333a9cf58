import datetime
import json
import threading

import libkq as kq
import pytest


def test_two_lines_are_enough_for_a_newcomer(servers, name):
    delivery = kq.Producer(servers).send(name, b"hello").wait()
    assert repr(delivery) == f"{name}-0 @0"
    assert repr(next(kq.Consumer(servers, name))) == f"Record({name}-0 @0, b'hello')"


def test_a_record_comes_back_as_it_was_sent(servers, topic):
    with kq.Producer(servers) as producer:
        sent = producer.send(
            topic, b"value", b"key", partition=1, timestamp=1_700_000_000_000, headers=[("a", b"1"), ("a", None), ("b", "text")]
        ).wait(20)
    assert (sent.partition, sent.offset, sent.timestamp, sent.topic) == (1, 0, 1_700_000_000_000, topic)
    with kq.Consumer(servers, topic) as consumer:
        record = next(consumer)
    assert (record.topic, record.partition, record.offset, record.timestamp) == (topic, 1, 0, 1_700_000_000_000)
    assert (record.key, record.value, record.timestamp_type, record.leader_epoch) == (b"key", b"value", 0, 0)
    assert record.headers == [("a", b"1"), ("a", None), ("b", b"text")]


def test_strings_none_and_buffers_are_values_too(servers, topic):
    with kq.Producer(servers) as producer:
        for value in ("grüße", None, b"", bytearray(b"array"), memoryview(b"xviewx")[1:5]):
            producer.send(topic, value, "k", partition=0)
        producer.send(topic, b"dated", partition=0, timestamp=datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc))
    with kq.Consumer(servers, topic) as consumer:
        records = list(consumer.records(1))
    assert [record.value for record in records] == ["grüße".encode(), None, b"", b"array", b"view", b"dated"]
    assert records[-1].timestamp == 1704153600000
    assert [record.key for record in records[:2]] == [b"k", b"k"]


def test_serializers_are_plain_functions(servers, topic):
    with kq.Producer(servers, key=str, value=json.dumps) as producer:
        producer.send(topic, {"n": 1}, 7).wait(20)
        producer.send_many(topic, [(8, {"n": 2}), (9, [3])]).wait(20)
    with kq.Consumer(servers, topic, key=int, value=json.loads) as consumer:
        found = {record.key: record.value for record in consumer.records(1)}
    assert found == {7: {"n": 1}, 8: {"n": 2}, 9: [3]}


def test_what_a_serializer_raises_reaches_the_caller(servers, topic):
    with kq.Producer(servers, value=json.dumps) as producer:
        with pytest.raises(TypeError):
            producer.send(topic, object())
        with pytest.raises(TypeError) as raised:
            producer.send_many(topic, [1, 2, object(), 4])
        assert producer.pending == 0 or raised.value.sent == 0
    with kq.Consumer(servers, value=json.loads) as consumer:
        consumer.assign([(topic, 0, kq.EARLIEST), (topic, 1, kq.EARLIEST)])
        kq.Producer(servers).send(topic, b"no json").wait(20)
        with pytest.raises(json.JSONDecodeError):
            _ = next(consumer).value


def test_send_many_takes_all_forms_of_records(servers, topic):
    with kq.Producer(servers) as producer:
        producer.send_many(topic, [b"plain", (b"k", b"pair"), (b"k", b"three", {"h": b"1"}), (None, None, [], 5)], partition=0).wait(20)
        producer.send_many(None, ({"topic": topic, "value": b"dict %d" % i, "partition": 0, "key": None} for i in range(3))).wait(20)
        with kq.Consumer(servers, topic) as consumer:
            records = list(consumer.records(1))
        assert [record.value for record in records] == [b"plain", b"pair", b"three", None, b"dict 0", b"dict 1", b"dict 2"]
        assert records[2].headers == [("h", b"1")]
        assert records[3].timestamp == 5
        forwarded = producer.send_many(topic, records, partition=1).wait(20)
        assert forwarded.count == 7 and forwarded.failures == []
    with kq.Consumer(servers) as consumer:
        consumer.assign([(topic, 1, 0)])
        assert [record.value for record in consumer.records(1)] == [record.value for record in records]


def test_many_records_keep_their_order(servers, topic):
    count = 30_000
    with kq.Producer(servers) as producer:
        assert producer.send_many(topic, (b"%d" % i for i in range(count)), partition=0).wait(30).count == count
        last = [producer.send(topic, b"%d" % i, partition=1) for i in range(3000)][-1]
        assert last.wait(30).offset == 2999
    seen = {0: 0, 1: 0}
    with kq.Consumer(servers, topic) as consumer:
        for batch in consumer.batches(1):
            assert len(batch) == len(batch.values()) == len(batch.offsets)
            for record in batch:
                assert int(record.value) == record.offset == seen[record.partition]
                seen[record.partition] += 1
    assert seen == {0: count, 1: 3000}


def test_a_batch_is_a_sequence_with_columns(servers, topic):
    kq.Producer(servers).send_many(topic, [(b"k%d" % i, b"v%d" % i) for i in range(20)], partition=0).wait(20)
    with kq.Consumer(servers, topic) as consumer:
        batch = consumer.poll(10)
    assert len(batch) == 20 and batch[3].value == b"v3" and batch[-1].value == b"v19"
    assert batch.keys()[:2] == [b"k0", b"k1"] and list(batch.offsets) == list(range(20)) and set(batch.partitions) == {0}
    with pytest.raises(IndexError):
        batch[20]
    view = batch[5].value_view
    value = batch[5].value
    del batch
    assert view == value == b"v5" and view.readonly


def test_iteration_and_poll_share_one_position(servers, topic):
    kq.Producer(servers).send_many(topic, [b"%d" % i for i in range(10)], partition=0).wait(20)
    with kq.Consumer(servers, topic, max_poll_records=10) as consumer:
        assert [next(consumer).value for _ in range(3)] == [b"0", b"1", b"2"]
        rest = consumer.poll(5)
        assert [record.value for record in rest] == [b"%d" % i for i in range(3, 10)]
        assert rest[0].offset == 3 and list(rest.offsets)[-1] == 9


def test_a_consumer_starts_where_it_is_told(servers, topic):
    with kq.Producer(servers) as producer:
        for i in range(5):
            producer.send(topic, b"%d" % i, partition=0, timestamp=1000 * (i + 1))
    assert next(kq.Consumer(servers, topic, start=3)).offset == 3
    when = datetime.datetime.fromtimestamp(3.5, datetime.timezone.utc)
    with kq.Consumer(servers, topic, start=when) as consumer:
        assert next(consumer).value == b"3"
        consumer.seek(topic, 0, 1)
        assert next(consumer).value == b"1"
        assert consumer.offsets_at(2000, [(topic, 0), (topic, 1)]) == [1, -1]
        assert consumer.partitions(topic) == 2
        consumer.pause(topic, 0)
        consumer.seek(topic, 0, 0)
        assert consumer.poll(0.3) is None
        consumer.resume(topic, 0)
        assert next(consumer).value == b"0"
        assert {each.partition for each in consumer.assignment()} == {0, 1}
    with kq.Consumer(servers, topic, start="latest") as consumer:
        assert consumer.poll(0.5) is None


def test_the_end_of_a_partition_is_an_event(servers, topic):
    kq.Producer(servers).send(topic, b"x", partition=0).wait(20)
    with kq.Consumer(servers, enable_partition_eof=True) as consumer:
        consumer.assign([(topic, 0, 0)])
        assert len(consumer.poll(10)) == 1
        event = consumer.poll(10)
        assert isinstance(event, kq.EndOfPartition) and event.partitions[0][:3] == (topic, 0, 1)


def test_wakeup_ends_a_wait_from_another_thread(servers, topic):
    with kq.Consumer(servers, topic) as consumer:
        threading.Timer(0.2, consumer.wakeup).start()
        assert consumer.poll() is None
        threading.Timer(0.2, consumer.wakeup).start()
        assert list(consumer) == []


def test_threads_share_a_producer(servers, topic):
    with kq.Producer(servers) as producer:
        failures = []

        def work(number):
            try:
                for i in range(50):
                    producer.send(topic, b"%d-%d" % (number, i), partition=number % 2).wait(30)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
    with kq.Consumer(servers, topic) as consumer:
        assert len({record.value for record in consumer.records(1)}) == 200


def test_failures_nobody_waits_for_are_told_by_flush(servers, topic):
    with kq.Producer(servers, max_request_size=10_000_000, message_max_bytes=10_000_000) as producer:
        delivery = producer.send(topic, bytes(2_000_000))
        assert isinstance(delivery.exception(30), kq.RefusedError) and delivery.error.name == "MESSAGE_TOO_LARGE"
        with pytest.raises(kq.KqError):
            delivery.wait()
        del delivery
        producer.send(topic, bytes(2_000_000))
        with pytest.raises(kq.KqError, match="MESSAGE_TOO_LARGE"):
            producer.flush(30)
        producer.flush(30)
        many = producer.send_many(topic, [b"fine", bytes(2_000_000), b"fine too"], partition=0)
        with pytest.raises(kq.KqError):
            many.wait(30)
        assert 1 in [index for index, _ in many.failures]


def test_arrow_and_numpy_take_columns(servers, topic):
    kq.Producer(servers).send_many(topic, [(b"k", b"v0"), (None, b"v1"), (b"k", None)], partition=0).wait(20)
    with kq.Consumer(servers, topic) as consumer:
        batch = consumer.poll(10)
    numpy = pytest.importorskip("numpy")
    assert numpy.asarray(batch.offsets).tolist() == [0, 1, 2] and numpy.asarray(batch.offsets).dtype == numpy.int64
    pytest.importorskip("pyarrow")
    table = batch.to_arrow()
    assert table["value"].to_pylist() == [b"v0", b"v1", None] and table["key"].to_pylist() == [b"k", None, b"k"]
    assert table["offset"].to_pylist() == [0, 1, 2] and table["topic"].to_pylist() == [topic] * 3
