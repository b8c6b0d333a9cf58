"""Wrong types, closed handles, None where it makes no sense: an exception that says what to change, never a crash."""

import gc
import os
import pickle
import threading

import libkq as kq
import pytest
from libkq import _kq


@pytest.fixture
def producer(broker):
    with kq.Producer(broker) as producer:
        yield producer


@pytest.fixture
def consumer(broker):
    with kq.Consumer(broker) as consumer:
        yield consumer


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.send(),
        lambda p: p.send(None, b"x"),
        lambda p: p.send(7, b"x"),
        lambda p: p.send("t", 7),
        lambda p: p.send("t", b"x", 7),
        lambda p: p.send("t", b"x", b"k", 0),
        lambda p: p.send("t", b"x", partition="0"),
        lambda p: p.send("t", b"x", partition=1 << 70),
        lambda p: p.send("t", b"x", timestamp="now"),
        lambda p: p.send("t", b"x", headers=7),
        lambda p: p.send("t", b"x", headers=[7]),
        lambda p: p.send("t", b"x", headers=[(b"k", b"v")]),
        lambda p: p.send("t", b"x", headers={"k": 7}),
        lambda p: p.send("t", b"x", topic="t"),
        lambda p: p.send("t", b"x", colour="red"),
        lambda p: p.send("t\0u", b"x"),
        lambda p: p.send("", b"x"),
        lambda p: p.send("no/such/name", b"x"),
        lambda p: p.send("t", "\ud800"),
        lambda p: p.send_many("t", None),
        lambda p: p.send_many("t", b"bytes"),
        lambda p: p.send_many("t", [7]),
        lambda p: p.send_many("t", [(1,)]),
        lambda p: p.send_many(None, [b"x"]),
        lambda p: p.send_many("t", [{"valeu": b"x"}]),
        lambda p: p.flush("soon"),
        lambda p: p.flush(-1),
        lambda p: p.flush(float("nan")),
        lambda p: p.begin(),
        lambda p: p.partitions(None),
        lambda p: p.__init__("localhost:1"),
    ],
)
def test_wrong_arguments_of_a_producer(producer, call):
    with pytest.raises((TypeError, ValueError, OverflowError, RuntimeError, kq.KqError)) as raised:
        call(producer)
    assert str(raised.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.assign(None),
        lambda c: c.assign("topic"),
        lambda c: c.assign(["topic"]),
        lambda c: c.assign([("topic",)]),
        lambda c: c.assign([("topic", "0")]),
        lambda c: c.assign([(None, 0)]),
        lambda c: c.subscribe(None),
        lambda c: c.subscribe("t"),
        lambda c: c.seek("t", 0, 5),
        lambda c: c.seek("t", None, 5),
        lambda c: c.position("t", 0),
        lambda c: c.poll("1"),
        lambda c: c.poll(-3),
        lambda c: c.commit(),
        lambda c: c.release(None),
        lambda c: c.release(7),
        lambda c: c.pause(None, 0),
        lambda c: c.offsets_at("now", [("t", 0)]),
        lambda c: c.partitions(""),
        lambda c: _kq.consumer_seek(None, "t", 0, 0),
        lambda c: _kq.producer_fd(c),
        lambda c: _kq.call("flush", c, None),
        lambda c: _kq.call("nothing", c, None),
        lambda c: _kq.call("flush"),
    ],
)
def test_wrong_arguments_of_a_consumer(consumer, call):
    with pytest.raises((TypeError, ValueError, OverflowError, kq.KqError)) as raised:
        call(consumer)
    assert str(raised.value)


def test_configuration_is_refused_with_what_is_meant(broker):
    with pytest.raises(kq.ConfigError, match=r"linger\.ms"):
        kq.Producer(broker, linger_mss=5)
    with pytest.raises(ValueError):
        kq.Producer(broker, acks="some")
    with pytest.raises(TypeError):
        kq.Producer(broker, acks=object())
    with pytest.raises(TypeError):
        kq.Producer(7)
    with pytest.raises(TypeError):
        kq.Producer(broker, config=["x"])
    with pytest.raises(TypeError):
        kq.Producer(broker, value=7)
    with pytest.raises(kq.KqError):
        kq.Producer()
    with pytest.raises(kq.KqError):
        kq.Producer(config="/no/such/file")
    with pytest.raises(kq.KqError):
        kq.Broker(no_such_setting_at_all="x", listeners="nonsense")
    assert "linger.ms" in {option.name for option in kq.options()}


def test_closed_objects_say_so(broker, name):
    producer, consumer, admin = kq.Producer(broker), kq.Consumer(broker), kq.Admin(broker)
    kept = producer.send(name, b"x")
    for each in (producer, consumer, admin):
        each.close()
        each.close()
        assert each.closed
    assert kept.wait(0).offset == 0
    for call in (
        lambda: producer.send(name, b"x"),
        lambda: producer.send_many(name, [b"x"]),
        lambda: producer.flush(),
        lambda: producer.pending,
        lambda: producer.begin(),
        lambda: consumer.poll(0),
        lambda: consumer.seek(name, 0, 0),
        lambda: consumer.commit(),
        lambda: consumer.fileno(),
        lambda: admin.list_topics(),
    ):
        with pytest.raises(kq.ClosedError, match="closed"):
            call()
    assert list(consumer) == []
    with kq.Broker() as other:
        pass
    with pytest.raises(kq.ClosedError):
        _ = other.address
    for cls in (kq.Producer, kq.Consumer, kq.Admin, kq.Broker):
        with pytest.raises((kq.ClosedError, AttributeError)):
            cls.__new__(cls).fileno()
    for cls in (kq.Batch, kq.Record, kq.Delivery):
        with pytest.raises(TypeError):
            cls()


def test_closing_while_others_wait(broker, name):
    kq.Producer(broker).send(name, b"x").wait(20)
    for _ in range(10):
        consumer = kq.Consumer(broker, name, start="latest")
        raised = []

        def wait(consumer=consumer, raised=raised):
            try:
                while consumer.poll(20) is None:
                    pass
            except kq.KqError as error:
                raised.append(error)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        consumer.close(5)
        for thread in threads:
            thread.join(20)
        assert len(raised) == 3


def test_many_threads_send_while_the_producer_is_closed(broker, name):
    for _ in range(5):
        producer = kq.Producer(broker)
        ended = []

        def work(producer=producer, ended=ended):
            try:
                while True:
                    producer.send(name, b"x")
                    producer.send_many(name, [b"y"] * 10)
            except kq.KqError as error:
                ended.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        producer.send(name, b"z").wait(20)
        producer.close(10)
        for thread in threads:
            thread.join(20)
        assert len(ended) == 3


def test_records_outlive_what_they_came_from(broker, name):
    kq.Producer(broker).send(name, b"value", b"key").wait(20)
    consumer = kq.Consumer(broker, name)
    record = next(consumer)
    view = record.value_view
    consumer.close()
    del consumer
    gc.collect()
    assert (record.key, record.value, view.tobytes()) == (b"key", b"value", b"value")


def test_a_forked_child_is_told(broker, name):
    producer = kq.Producer(broker)
    producer.send(name, b"x").wait(20)
    pid = os.fork()
    if pid == 0:
        try:
            producer.send(name, b"y").wait(5)
        except kq.ForkedError:
            os._exit(0)
        except BaseException:
            os._exit(2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    producer.send(name, b"z").wait(20)
    producer.close()


def test_errors_are_ordinary_exceptions():
    error = kq.RetriableError(7, "REQUEST_TIMED_OUT", "later", "t", 3)
    again = pickle.loads(pickle.dumps(error))
    assert (again.code, again.name, again.topic, again.partition, str(again)) == (7, "REQUEST_TIMED_OUT", "t", 3, str(error))
    assert issubclass(kq.TimedOutError, TimeoutError) and issubclass(kq.ConfigError, ValueError)


def test_an_unreachable_cluster_times_out():
    with pytest.raises(kq.RetriableError):
        kq.Producer("127.0.0.1:1", max_block_ms=300).send("t", b"x")
    with pytest.raises(kq.KqError):
        kq.Consumer("127.0.0.1:1", "t", default_api_timeout_ms=300)
