"""Programs that end in other ways than by close."""

import contextlib
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import libkq as kq
import pytest
from libkq import _log


def program(source, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options
    )


ALL = """
import asyncio, sys, libkq as kq
servers, name = sys.argv[1:]
producer = kq.Producer(servers); producer.send_many(name, [b'%d' % i for i in range(1000)])
consumer = kq.Consumer(servers, name, group=name); consumer.poll(0.1)
share = kq.ShareConsumer(servers, name, group=name + '-share'); share.poll(0.1)
transactional = kq.Producer(servers, transactional_id=name); transactional.begin(); transactional.send(name, b'never')
kept = consumer.poll(1)
own = kq.Broker()
admin = kq.Admin(own)
async def main():
    global sender, receiver, taker
    sender = kq.AsyncProducer(servers); sender.send(name, b'async')
    receiver = kq.AsyncConsumer(servers, name); await receiver.poll(5)
    taker = kq.AsyncShareConsumer(servers, name, group=name + '-share')
    asyncio.create_task(receiver.poll()); asyncio.create_task(taker.poll())
    await asyncio.sleep(0.1)
asyncio.run(main())
"""


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "import threading; threading.Thread(target=lambda: consumer.poll(30), daemon=True).start()"])
def test_a_program_may_end_without_close(broker, name, ending):
    started = time.monotonic()
    ended = program(ALL + ending, broker.address, name)
    out, error = ended.communicate(timeout=60)
    assert (ended.returncode, out, error) == (0, "", "")
    assert time.monotonic() - started < 30
    with kq.Consumer(broker, name, isolation_level="read_committed") as consumer:
        assert len(list(consumer.records(1))) == 1001


def test_a_program_may_raise_in_the_middle(broker, name):
    ended = program(
        "import sys, libkq as kq\n"
        "consumer = kq.Consumer(sys.argv[1], group='g')\n"
        "consumer.subscribe(sys.argv[2])\n"
        "producer = kq.Producer(sys.argv[1]); [producer.send(sys.argv[2], b'x') for _ in range(100)]\n"
        "1 / 0\n",
        broker.address,
        name,
    )
    _, error = ended.communicate(timeout=60)
    assert ended.returncode == 1 and error.strip().endswith("ZeroDivisionError: division by zero")


WAITS = {
    "poll": "consumer.poll()",
    "next": "next(consumer)",
    "wait for a topic": "kq.Producer('127.0.0.1:1').send('t', b'x')",
    "flush": "p = kq.Producer('127.0.0.1:1', max_block_ms=0, delivery_timeout_ms=120000); p.flush()\n    p.partitions('t')",
    "wait for metadata": "kq.Consumer('127.0.0.1:1', 't')",
    "admin": "kq.Admin('127.0.0.1:1').list_topics()",
    "commit": "kq.Consumer('127.0.0.1:1', group='g').commit([('t', 0, 1)])",
    "begin": "kq.Producer('127.0.0.1:1', transactional_id='x').begin()",
    "asyncio": "import asyncio\n    async def main():\n        async with kq.AsyncConsumer(sys.argv[1], sys.argv[2], start='latest') as c: await c.poll()\n"
    "    asyncio.run(main())",
}


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_a_wait(broker, name, wait):
    kq.Producer(broker).send(name, b"x").wait(20)
    running = program(
        "import sys, os, libkq as kq\n"
        "consumer = kq.Consumer(sys.argv[1], sys.argv[2], start='latest')\n"
        "try:\n"
        "    print('waiting', flush=True)\n"
        f"    {WAITS[wait]}\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        "    os._exit(0)\n",
        broker.address,
        name,
    )
    assert running.stdout.readline() == "waiting\n"
    time.sleep(0.5)
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    try:
        out, error = running.communicate(timeout=20)
    finally:
        running.kill()
    assert (out, error) == ("interrupted\n", "")
    assert time.monotonic() - started < 10


def test_the_log_of_a_broker_goes_to_logging(caplog, tmp_path):
    with caplog.at_level(logging.DEBUG, logger="broker"):
        with kq.Broker(tmp_path / "data", log=logging.getLogger("broker")) as broker:
            kq.Producer(broker).send("t", b"x").wait(20)
    assert caplog.records and caplog.records[0].name == "broker"
    with open(tmp_path / "log", "wb") as log, kq.Broker(tmp_path / "data", log=log) as broker:
        assert next(kq.Consumer(broker, "t")).value == b"x"
    assert (tmp_path / "log").stat().st_size > 0


def test_what_clients_log_goes_to_logging(caplog):
    def messages(name):
        return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == name]

    own = logging.getLogger("own")
    with caplog.at_level(logging.DEBUG, logger="own"), caplog.at_level(logging.WARNING, logger="libkq"):
        for log in (None, own):
            with pytest.raises(kq.KqError):
                kq.Consumer("127.0.0.1:1", "t", default_api_timeout_ms=300, log=log)
        _log.flush()
    assert ("WARNING", "[metadata] cannot connect to 127.0.0.1:1: Connection refused") in messages("libkq")
    assert messages("own") and not [line for line in messages("libkq") if line[0] == "DEBUG"]
    with pytest.raises(TypeError, match="logger"):
        kq.Producer("127.0.0.1:1", log="stderr")


def test_a_log_that_nobody_reads_holds_nobody_up():
    bridge = _log.Bridge(logging.getLogger("own"))
    own = bridge._logger
    stop, going = threading.Event(), threading.Event()
    own.log = lambda *_: (going.set(), stop.wait(30))
    for _ in range(3000):
        with contextlib.suppress(BlockingIOError):
            os.write(bridge.descriptor, b"x" * 1023 + b"\n")
    assert going.wait(10)
    stop.set()
    del own.log
    bridge.close()


def test_statistics(broker, name):
    with kq.Producer(broker) as producer, kq.Consumer(broker) as consumer:
        producer.send_many(name, [b"x" * 100] * 10).wait(20)
        told = producer.statistics()
        assert told["records"] == 10 and told["partitions"][0]["topic"] == name and told["nodes"][0]["requests"] >= 1
        consumer.assign([(name, 0, kq.EARLIEST)])
        assert len(consumer.poll(10)) == 10
        assert consumer.statistics()["records"] == 10
    with pytest.raises(kq.ClosedError):
        producer.statistics()


def test_a_temporary_broker_leaves_nothing_behind():
    broker = kq.Broker()
    path = pathlib.Path(broker._temporary)
    assert path.is_dir()
    broker.close()
    assert not path.exists() and os.path.exists(path.parent)
