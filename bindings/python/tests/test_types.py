"""The annotations hold, inside the package and for those who use it."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parents[1]

USE = '''
import libkq as kq
from typing import assert_type

with kq.Broker() as broker, kq.Producer(broker, linger_ms=5) as producer, kq.Admin(broker) as admin:
    delivery = producer.send("t", b"x", key="k", headers={"h": b"1"})
    assert_type(delivery, kq.Delivery)
    offset: int = delivery.wait(5).offset
    producer.send_many("t", (b"%d" % i for i in range(3))).wait()
    rows = admin.create_topics("t", partitions=3)
    partitions: int = rows[0].partitions
    with kq.Consumer(broker, "t", group="g") as consumer:
        for record in consumer:
            assert_type(record, kq.Record)
        for batch in consumer.batches(timeout=1.0):
            assert_type(batch, kq.Batch)
        consumer.commit([("t", 0, 5)])

async def main() -> None:
    async with kq.AsyncProducer("localhost:9092") as producer, kq.AsyncConsumer("localhost:9092", "t") as consumer:
        delivery = await producer.send("t", b"x")
        assert_type(delivery, kq.Delivery)
        async for record in consumer:
            assert_type(record, kq.Record)
'''


def mypy(*arguments):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *arguments]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_package_is_strictly_typed():
    mypy("-p", "libkq")


def test_its_users_are_too(tmp_path):
    (tmp_path / "use.py").write_text(USE)
    mypy(str(tmp_path / "use.py"))


def test_so_are_the_examples():
    mypy(*map(str, sorted((HERE / "examples").glob("*.py"))))


def test_the_stubs_say_what_the_c_part_has():
    checked = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "libkq._kq", "--concise", "--ignore-missing-stub", "--ignore-disjoint-bases"],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_administrators_methods_are_written_down(tmp_path):
    written = tmp_path / "_operations.pyi"
    subprocess.run([sys.executable, str(HERE / "tools/operations.py"), str(written)], check=True)
    told = "libkq has other operations than _operations.pyi says: run bindings/python/tools/operations.py"
    assert written.read_text() == (HERE / "libkq/_operations.pyi").read_text(), told
