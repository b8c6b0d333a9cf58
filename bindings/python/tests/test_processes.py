"""Programs that end in other ways than by close."""

import logging
import os
import pathlib
import signal
import subprocess
import sys
import time

import libkq as kq
import pytest


def program(source, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options
    )


def test_a_program_may_end_without_close(broker, name):
    ended = program(
        "import sys, libkq as kq\n"
        "producer = kq.Producer(sys.argv[1]); producer.send_many(sys.argv[2], [b'%d' % i for i in range(1000)])\n"
        "consumer = kq.Consumer(sys.argv[1], sys.argv[2], group=sys.argv[2]); consumer.poll(0.1)\n"
        "own = kq.Broker()\n"
        "admin = kq.Admin(own)\n",
        broker.address,
        name,
    )
    out, error = ended.communicate(timeout=60)
    assert (ended.returncode, out, error) == (0, "", "")
    with kq.Consumer(broker, name) as consumer:
        assert len(list(consumer.records(1))) == 1000


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


def test_a_temporary_broker_leaves_nothing_behind():
    broker = kq.Broker()
    path = pathlib.Path(broker._temporary)
    assert path.is_dir()
    broker.close()
    assert not path.exists() and os.path.exists(path.parent)
