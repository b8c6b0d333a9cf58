#!/usr/bin/env python3
"""What groups and transactions cost: kqd and Apache Kafka 4.2 side by side, in one run on this machine.

Requests are made beforehand and sent by hand, so that the broker is what is measured: its processor time from /proc around the
run, its resident memory at the end.  Each row is run once to warm up.  Never a test: nothing here passes or fails.
"""

import argparse
import os
import pathlib
import selectors
import shutil
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/peer"))
from kqpeer import group_wire as groups  # noqa: E402
from kqpeer import servers, wire  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
COMMIT_CONNECTIONS, COMMITS_AT_ONCE = 8, 500
JOINERS, HEARTBEAT_SECONDS, JOIN_SECONDS_MAX = 100, 0.1, 60
TRANSACTORS = 20
GROUPS, MEMBERS, OFFSETS_A_GROUP = 1_000, 10, 100
TOPIC_ALREADY_EXISTS = 36
RETRIABLE = {14, 15, 16, 51}  # the coordinator loads, is not there, or is another; a transaction is being ended


def processor_seconds(broker):
    fields = pathlib.Path(f"/proc/{broker.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Measured:
    """Processor time of a broker over a block."""

    def __init__(self, broker):
        self.broker = broker

    def __enter__(self):
        self.before = processor_seconds(self.broker)
        return self

    def __exit__(self, *_):
        self.seconds = processor_seconds(self.broker) - self.before


def create_topic(broker, topic, partitions=1):
    with wire.Connection(broker.port, seconds=60) as connection:
        answer = connection.send(groups.create_topic(topic, partitions)).answer()
    code = struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + len(topic))[0]
    assert code in (0, TOPIC_ALREADY_EXISTS), f"CreateTopics: {code}"


def until_found(broker, key, kind=0):
    """Until the internal topic is there and read."""
    for _ in range(300):
        with wire.Connection(broker.port) as connection:
            if struct.unpack_from(">h", connection.send(groups.find_coordinator(key, kind)).answer(), 8)[0] == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("no coordinator")


def wait_for(broker, request, code_of):
    """Sends it until it is not answered with something that passes."""
    for _ in range(300):
        with wire.Connection(broker.port) as connection:
            answer = connection.send(request).answer()
        if code_of(answer) not in RETRIABLE:
            return answer
        time.sleep(0.1)
    raise RuntimeError("it is not answered")


# ---- offset commits ------------------------------------------------------------------------------------------------------------


def commit_on_one(broker, group, rounds):
    request = groups.offset_commit(group, "commits", {0: 12345})
    with wire.Connection(broker.port, seconds=120) as connection:
        answer = connection.send(request).answer()
        assert groups.commit_codes(answer) == [0], groups.commit_codes(answer)
        for _ in range(rounds):
            connection.send(request * COMMITS_AT_ONCE)
            connection.read((len(answer) + 4) * COMMITS_AT_ONCE)


def commits(broker, rounds):
    """Offset commits a second of the broker's processor time."""
    names = [f"committer-{i}" for i in range(COMMIT_CONNECTIONS)]
    for name in names:
        until_found(broker, name)
        wait_for(broker, groups.offset_commit(name, "commits", {0: 1}), lambda answer: groups.commit_codes(answer)[0])
    with Measured(broker) as cost:
        threads = [threading.Thread(target=commit_on_one, args=(broker, name, rounds)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return COMMIT_CONNECTIONS * rounds * COMMITS_AT_ONCE / cost.seconds


# ---- a hundred members at once ---------------------------------------------------------------------------------------------------


class Joiner:
    """A classic member that does what clients do: joins, syncs, beats, and joins again where it is told to."""

    def __init__(self, broker, group):
        self.group, self.member, self.generation, self.awaits = group, "", -1, None
        self.stable = False
        self.next_beat = None
        self.socket = socket.create_connection(("127.0.0.1", broker.port))
        self.pending = b""

    def send(self, kind, request):
        self.awaits = kind
        self.socket.sendall(request)

    def join(self):
        self.stable, self.next_beat = False, None
        self.send("join", groups.join_group(self.group, self.member, session_ms=30_000, rebalance_ms=30_000))

    def beat(self, now):
        if self.next_beat is not None and now >= self.next_beat and self.awaits is None:
            self.send("heartbeat", groups.heartbeat(self.group, self.generation, self.member))

    def receive(self, now):
        self.pending += self.socket.recv(1 << 16)
        while len(self.pending) >= 4:
            size = struct.unpack_from(">i", self.pending)[0]
            if len(self.pending) < 4 + size:
                return
            answer, self.pending = self.pending[4 : 4 + size], self.pending[4 + size :]
            self.answered(answer, now)

    def answered(self, answer, now):
        kind, self.awaits = self.awaits, None
        if kind == "join":
            code, generation, leader, member, members = groups.join_answer(answer)
            self.member = member or self.member
            if code != 0:
                return self.join()
            self.generation = generation
            assignments = [(each, b"\x00" * 10) for each in members] if leader == member else ()
            return self.send("sync", groups.sync_group(self.group, generation, member, assignments))
        code = groups.code_after_throttle(answer)
        if code != 0:
            return self.join()
        self.stable = True
        self.next_beat = now + HEARTBEAT_SECONDS
        return None

    def close(self):
        self.socket.close()


def hundred_join(broker, group):
    """Seconds until all have the assignment of one generation, and have kept it over a heartbeat."""
    until_found(broker, group)
    wait_for(broker, groups.offset_commit(group + "-other", "commits", {0: 1}), lambda answer: groups.commit_codes(answer)[0])
    joiners = [Joiner(broker, group) for _ in range(JOINERS)]
    selector = selectors.DefaultSelector()
    for joiner in joiners:
        selector.register(joiner.socket, selectors.EVENT_READ, joiner)
    begin = time.monotonic()
    for joiner in joiners:
        joiner.join()
    settled = None
    while time.monotonic() < begin + JOIN_SECONDS_MAX:
        for key, _ in selector.select(0.005):
            key.data.receive(time.monotonic())
        now = time.monotonic()
        for joiner in joiners:
            joiner.beat(now)
        if all(j.stable for j in joiners) and len({j.generation for j in joiners}) == 1:
            settled = settled or now
            if now > settled + 3 * HEARTBEAT_SECONDS:
                break
        else:
            settled = None
    for joiner in joiners:
        joiner.close()
    if settled is None:
        raise RuntimeError("the group does not become stable")
    return settled - begin


# ---- transactions ----------------------------------------------------------------------------------------------------------------


def transact(broker, number, count, failures):
    """Begins, writes one record to one partition, commits; again and again."""
    name = f"transactor-{number}"
    answer = wait_for(broker, groups.init_producer_id(name), lambda answer: struct.unpack_from(">h", answer, 8)[0])
    producer, epoch = struct.unpack_from(">qh", answer, 10)
    record = [wire.record(value=b"x" * 100)]
    with wire.Connection(broker.port, seconds=60) as connection:
        for _ in range(count):
            batch = wire.batch(record, attributes=0x10, producer=(producer, epoch, 0))
            request = groups.produce_in_transaction(name, "transactions", number % 4, batch)
            while (code := groups.produce_answer_code(connection.send(request).answer())) in RETRIABLE:
                failures.append(code)
                time.sleep(0.002)
            assert code == 0, f"Produce: {code}"
            request = groups.end_txn(name, producer, epoch)
            while (answer := groups.end_txn_answer(connection.send(request).answer()))[0] in RETRIABLE:
                failures.append(answer[0])
                time.sleep(0.002)
            assert answer[0] == 0, f"EndTxn: {answer[0]}"
            _, producer, epoch = answer


def transactions(broker, count):
    """Transactions a second of the broker's processor time; Kafka's version 2 (KIP-890)."""
    create_topic(broker, "transactions", partitions=4)
    until_found(broker, "transactor-0", kind=1)
    failures = []
    with Measured(broker) as cost:
        threads = [threading.Thread(target=transact, args=(broker, i, count, failures)) for i in range(TRANSACTORS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return TRANSACTORS * count / cost.seconds


# ---- memory ----------------------------------------------------------------------------------------------------------------------


def fill(broker):
    """Groups with members (KIP-848) and committed offsets: the broker's resident memory in MB, before and with them."""
    until_found(broker, "many-0")
    wait_for(broker, groups.offset_commit("many-0", "offsets", {0: 1}), lambda answer: groups.commit_codes(answer)[0])
    before = broker.resident_kib()
    with wire.Connection(broker.port, seconds=300) as connection:
        for number in range(GROUPS):
            name = f"many-{number}"
            codes = groups.commit_codes(connection.send(groups.offset_commit(name, "offsets", {i: 1000 + i for i in range(OFFSETS_A_GROUP)})).answer())
            assert set(codes) == {0}, codes
        for number in range(GROUPS):
            name = f"many-{number}"
            requests = [groups.consumer_heartbeat(name, f"00000000-0000-0000-{number:04}-{member:012}", topics=["offsets"]) for member in range(MEMBERS)]
            connection.send(b"".join(requests))
            for _ in requests:
                code, _ = groups.consumer_heartbeat_answer(connection.answer())
                assert code == 0, code
    return before / 1024, broker.resident_kib() / 1024


# ---- the table -------------------------------------------------------------------------------------------------------------------


def start(kind, binaries, work):
    home = work / kind.__name__.lower()
    home.mkdir()
    config = {"offsets.topic.num.partitions": "50", "transaction.state.log.num.partitions": "50", "group.consumer.max.session.timeout.ms": "600000",
              "group.consumer.session.timeout.ms": "600000", "connections.max.idle.ms": "600000"}
    broker = kind(binaries, home, home / "data", config, None)
    if kind is servers.Kafka:
        broker.jvm = servers.SERVER_JVM
    broker.start()
    return broker


def measure(kind, options, work):
    broker = start(kind, options.bin, work)
    figures = {}
    try:
        create_topic(broker, "commits")
        create_topic(broker, "offsets", partitions=OFFSETS_A_GROUP)
        if kind is servers.Kafka:
            commits(broker, options.rounds)
        figures["commits"] = commits(broker, options.rounds)
        figures["join"] = statistics.median(hundred_join(broker, f"hundred-{i}") for i in range(3))
        if kind is servers.Kafka:
            transactions(broker, options.transactions)
        figures["transactions"] = transactions(broker, options.transactions)
        broker.stop()
        shutil.rmtree(broker.home / "data")
        broker.start()
        create_topic(broker, "offsets", partitions=OFFSETS_A_GROUP)
        figures["before"], figures["memory"] = fill(broker)
    finally:
        broker.kill()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=20, help=f"of {COMMITS_AT_ONCE} commits on each of {COMMIT_CONNECTIONS} connections")
    parser.add_argument("--transactions", type=int, default=300, help=f"of each of {TRANSACTORS} producers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kq-bench-") as work:
        kqd, kafka = (measure(kind, options, pathlib.Path(work)) for kind in (servers.Kqd, servers.Kafka))
    print(f"{'':58}{'kqd':>12}{'Kafka 4.2':>12}{'ratio':>8}")
    for name, key, better in (
        ("offset commits per broker CPU-second", "commits", kqd["commits"] / kafka["commits"]),
        ("transactions at one partition per broker CPU-second", "transactions", kqd["transactions"] / kafka["transactions"]),
        (f"seconds until {JOINERS} members that join at once are stable", "join", kafka["join"] / kqd["join"]),
        (f"MB: {GROUPS} groups of {MEMBERS}, {GROUPS * OFFSETS_A_GROUP} offsets", "memory", kafka["memory"] / kqd["memory"]),
        ("MB before", "before", kafka["before"] / kqd["before"]),
    ):
        print(f"{name:58}{kqd[key]:12,.2f}{kafka[key]:12,.2f}{better:8.1f}")


if __name__ == "__main__":
    main()
