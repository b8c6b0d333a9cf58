"""libkq's transactions, by its examples: all or nothing, fencing, and a consume-transform-produce that is killed at random."""

import random
import signal
import subprocess
import time

from kqpeer.cases import KAFKA, KQD, case
from kqpeer.command import Command


def committed(kq, topic):
    return sorted(kq("consume", topic, "--from-beginning", "--until-end", "-q", "-X", "isolation.level=read_committed").split())


def transaction(setting, broker, topic, ident):
    program = str(setting.binaries / "examples/example_transaction")
    return subprocess.Popen([program, broker.address, topic, ident], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@case("libkq commits all of a transaction or nothing", on=(KAFKA, KQD), always=True)
def all_or_nothing(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "t", "-p", "3")
    work, expected = "", []
    for number in range(30):
        ends = "abort" if number % 3 == 2 else "commit"
        records = [f"{number}-{i}" for i in range(number % 5)]
        expected += records if ends == "commit" else []
        work += "".join(record + "\n" for record in [*records, ends])
    said, errors = transaction(setting, broker, "t", "one").communicate(work + "never\n", timeout=60)
    assert said.split().count("committed") == 20 and said.split().count("aborted") == 10, said + errors
    assert committed(kq, "t") == sorted(expected)
    everything = kq("consume", "t", "--from-beginning", "--until-end", "-q").split()
    assert len(everything) >= len(expected), everything


@case("libkq is fenced by a newer producer with its transactional.id", on=(KAFKA, KQD), always=True)
def fenced(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "t", "-p", "1")
    old = transaction(setting, broker, "t", "one")
    assert old.stdout.readline() == "begun\n"
    old.stdin.write("old\ncommit\nlost\n")
    old.stdin.flush()
    assert old.stdout.readline() == "committed\n"
    said, errors = transaction(setting, broker, "t", "one").communicate("new\ncommit\n", timeout=60)
    assert "committed" in said, said + errors
    said, errors = old.communicate("commit\n", timeout=60)
    assert old.returncode != 0 and "committed" not in said, f"{old.returncode} {said} {errors}"
    assert "FENCED" in errors or "EPOCH" in errors or "fenced" in errors, errors
    assert committed(kq, "t") == ["new", "old"]


@case("libkq transforms each record once, whenever it is killed", on=(KAFKA, KQD), always=True, full=(KAFKA,),
      config={"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "1000"})
def exactly_once(setting, broker):
    """The coordinator lets a member go when its session has ended, so each new one waits for that."""
    kq, count, chance = Command(setting, broker), 20_000, random.Random(1)
    for topic in ("in", "out"):
        kq("topic", "create", topic, "-p", "3")
    kq("produce", "in", "-q", feed="".join(f"rec-{i}\n" for i in range(count)))
    command = [str(setting.binaries / "examples/example_exactly_once"), broker.address, "g", "in", "out", "one"]
    for _ in range(8):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
            time.sleep(chance.uniform(0.05, 1.0))
            worker.send_signal(signal.SIGKILL)
    worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 150
    while len(committed(kq, "out")) < count and time.monotonic() < deadline:
        time.sleep(2)
    worker.kill()
    worker.wait()
    assert committed(kq, "out") == sorted(f"REC-{i}" for i in range(count))
