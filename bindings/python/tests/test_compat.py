"""The same program on confluent_kafka's interface, by libkq and (where it is installed) by the original."""

import contextlib
import importlib
import json
import logging
import time

import pytest


@pytest.fixture(params=["libkq.compat.confluent_kafka", "confluent_kafka"])
def ck(request):
    pytest.importorskip(request.param)
    importlib.import_module(request.param + ".admin")
    return importlib.import_module(request.param)


@pytest.fixture
def made(ck, servers, name):
    admin = ck.admin.AdminClient({"bootstrap.servers": servers})
    futures = admin.create_topics([ck.admin.NewTopic(name, num_partitions=2, replication_factor=1)])
    assert futures[name].result(20) is None
    return name


def test_produce_and_consume_with_callbacks(ck, servers, made):
    told = []
    producer = ck.Producer({"bootstrap.servers": servers, "linger.ms": 5, "queue.buffering.max.messages": 1000})
    for i in range(10):
        producer.produce(made, f"value {i}", key=b"k", headers=[("h", b"1")], on_delivery=lambda error, message: told.append((error, message)))
        producer.poll(0)
    assert producer.flush(20) == 0 and len(producer) == 0
    assert len(told) == 10 and all(error is None for error, _ in told)
    assert [message.offset() for _, message in told] == list(range(10)) and told[0][1].value() == b"value 0" and told[0][1].topic() == made

    assigned = []
    consumer = ck.Consumer({"bootstrap.servers": servers, "group.id": made, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([made], on_assign=lambda _, partitions: assigned.extend(partitions))
    messages = []
    while len(messages) < 10:
        message = consumer.poll(10)
        assert message is not None and message.error() is None
        messages.append(message)
    assert [message.value() for message in messages] == [b"value %d" % i for i in range(10)]
    assert messages[0].headers() == [("h", b"1")] and messages[0].timestamp()[0] == ck.TIMESTAMP_CREATE_TIME and len(assigned) == 2
    last = messages[-1]
    committed = consumer.commit(message=last, asynchronous=False)
    assert [(each.topic, each.partition, each.offset) for each in committed] == [(made, last.partition(), 10)]
    assert consumer.committed([ck.TopicPartition(made, last.partition())], timeout=10)[0].offset == 10
    assert consumer.get_watermark_offsets(ck.TopicPartition(made, last.partition()), timeout=10) == (0, 10)
    consumer.seek(ck.TopicPartition(made, last.partition(), 4))
    again = None
    while again is None:
        again = consumer.poll(10)
    assert again.offset() == 4
    consumer.close()
    with pytest.raises(RuntimeError):
        consumer.poll(0)


def test_the_end_of_a_partition_is_an_error_message(ck, servers, made):
    producer = ck.Producer({"bootstrap.servers": servers})
    producer.produce(made, b"x", partition=0)
    producer.flush(20)
    consumer = ck.Consumer({"bootstrap.servers": servers, "group.id": made, "enable.partition.eof": True})
    consumer.assign([ck.TopicPartition(made, 0, ck.OFFSET_BEGINNING)])
    found = consumer.consume(1, 20)
    assert [message.value() for message in found] == [b"x"]
    message = consumer.poll(20)
    assert message.error().code() == ck.KafkaError._PARTITION_EOF and message.error() == ck.KafkaError._PARTITION_EOF
    consumer.close()


def test_transactions(ck, servers, made):
    producer = ck.Producer({"bootstrap.servers": servers, "transactional.id": made})
    producer.init_transactions(20)
    for value, commit in ((b"seen", True), (b"not seen", False), (b"seen too", True)):
        producer.begin_transaction()
        producer.produce(made, value, partition=0)
        producer.commit_transaction(20) if commit else producer.abort_transaction(20)
    consumer = ck.Consumer({"bootstrap.servers": servers, "group.id": made, "isolation.level": "read_committed"})
    consumer.assign([ck.TopicPartition(made, 0, ck.OFFSET_BEGINNING)])
    values = []
    while len(values) < 2:
        message = consumer.poll(20)
        assert message is not None
        values.append(message.value())
    assert values == [b"seen", b"seen too"]
    consumer.close()


def test_administration(ck, servers, made):
    admin = ck.admin.AdminClient({"bootstrap.servers": servers})
    deadline = time.monotonic() + 20
    while made not in (topics := admin.list_topics(timeout=10).topics) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sorted(topics[made].partitions) == [0, 1]
    with pytest.raises(ck.KafkaException) as raised:
        admin.create_topics([ck.admin.NewTopic(made, 1, 1)])[made].result(20)
    assert raised.value.args[0].code() == ck.KafkaError.TOPIC_ALREADY_EXISTS
    resource = ck.admin.ConfigResource("topic", made)
    assert admin.describe_configs([resource])[resource].result(20)["retention.ms"].value == "604800000"
    assert admin.create_partitions([ck.admin.NewPartitions(made, 4)])[made].result(20) is None
    assert admin.delete_topics([made])[made].result(20) is None


def test_administration_of_groups_and_records(ck, servers, made):
    admin = ck.admin.AdminClient({"bootstrap.servers": servers})
    producer = ck.Producer({"bootstrap.servers": servers})
    for i in range(10):
        producer.produce(made, b"%d" % i, partition=0)
    producer.flush(20)
    with contextlib.closing(ck.Consumer({"bootstrap.servers": servers, "group.id": made, "auto.offset.reset": "earliest"})) as consumer:
        consumer.subscribe([made])
        assert consumer.poll(20).value() == b"0"
        [group] = admin.describe_consumer_groups([made]).values()
        group = group.result(20)
        assert group.state == ck.ConsumerGroupState.STABLE and len(group.members) == 1 and not group.is_simple_consumer_group
        assert sorted(each.partition for each in group.members[0].assignment.topic_partitions) == [0, 1]
    assert made in [each.group_id for each in admin.list_consumer_groups().result(20).valid]
    at = ck.TopicPartition(made, 0, 4)
    admin.alter_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(made, [at])])[made].result(20)
    found = admin.list_consumer_group_offsets([ck.ConsumerGroupTopicPartitions(made)])[made].result(20)
    assert [each.offset for each in found.topic_partitions if each.partition == 0] == [4]
    assert admin.list_offsets({at: ck.admin.OffsetSpec.latest()})[at].result(20).offset == 10
    assert admin.delete_records([at])[at].result(20).low_watermark == 4
    cluster = admin.describe_cluster().result(20)
    assert cluster.controller.id in [node.id for node in cluster.nodes]
    topic = admin.describe_topics(ck.TopicCollection([made]))[made].result(20)
    assert [partition.id for partition in topic.partitions] == [0, 1] and topic.partitions[0].leader.port > 0 and not topic.is_internal
    assert admin.delete_consumer_groups([made])[made].result(20) is None


def test_wrong_configuration(ck):
    with pytest.raises(ck.KafkaException) as raised:
        ck.Producer({"no.such.setting": 1})
    assert raised.value.args[0].code() == ck.KafkaError._INVALID_ARG
    with pytest.raises(ValueError):
        ck.Consumer({"bootstrap.servers": "localhost"})
    with pytest.raises(TypeError):
        ck.Producer()


def test_errors_statistics_and_log_lines_are_told_by_poll(ck, servers, made):
    told = {"error": [], "statistics": [], "log": []}

    class Log(logging.Handler):
        def emit(self, record):
            told["log"].append(record.getMessage())

    log = logging.Logger("own", logging.DEBUG)
    log.addHandler(Log())
    nobody = ck.Producer({"bootstrap.servers": "127.0.0.1:1", "error_cb": told["error"].append, "debug": "broker"}, logger=log)
    producer = ck.Producer({"bootstrap.servers": servers, "statistics.interval.ms": 50, "stats_cb": told["statistics"].append})
    producer.produce(made, b"x", partition=0)
    deadline = time.monotonic() + 20
    while not (all(told.values()) and made in json.loads(told["statistics"][-1])["topics"]) and time.monotonic() < deadline:
        nobody.poll(0.05)
        producer.poll(0.05)
    assert told["error"][0].code() in (ck.KafkaError._ALL_BROKERS_DOWN, ck.KafkaError._TRANSPORT) and not told["error"][0].fatal()
    statistics = json.loads(told["statistics"][-1])
    assert statistics["type"] == "producer" and statistics["txmsgs"] == 1 and statistics["topics"][made]["partitions"]["0"]["txmsgs"] == 1
    assert told["log"]


def test_every_delivery_is_told_where_a_callback_raises(ck, servers, made):
    told = []

    def on_delivery(error, message):
        told.append(message.value())
        raise RuntimeError("mine")

    producer = ck.Producer({"bootstrap.servers": servers, "linger.ms": 50})
    for i in range(3):
        producer.produce(made, b"%d" % i, partition=0, on_delivery=on_delivery)
    deadline = time.monotonic() + 20
    while len(told) < 3 and time.monotonic() < deadline:
        with contextlib.suppress(RuntimeError):
            producer.flush(1)
    assert told == [b"0", b"1", b"2"]


def test_the_queue_has_its_limit(ck):
    producer = ck.Producer({"bootstrap.servers": "127.0.0.1:1", "queue.buffering.max.messages": 2})
    producer.produce("t", b"x")
    producer.produce("t", b"x", headers=[("h", None)])
    with pytest.raises(BufferError):
        producer.produce("t", b"x")
    producer.purge()
    assert producer.flush(5) == 0
    with pytest.raises(TypeError):
        producer.produce("t", b"x", headers=["h"])


def test_partitioners(ck):
    placed = [[place(key, 97) for key in (b"", b"key", b"a longer key")] for place in (ck.murmur2, ck.consistent, ck.fnv1a)]
    assert placed == [[35, 74, 0], [0, 17, 56], [68, 8, 25]]
    with pytest.raises(ValueError):
        ck.murmur2(b"key", 0)
    with pytest.raises(TypeError):
        ck.consistent("key", 1)
