"""What libkq's producers, transactions and group members did while their connections were cut, held against what the log kept."""

import os
import random
import signal
import subprocess
import threading
import time

from kqpeer.cases import BOTH, KAFKA, case
from kqpeer.command import Command
from kqpeer.proxy import Proxy

FULL = os.environ.get("KQ_TEST_TIER") == "full"
SEED = int(os.environ.get("KQ_TEST_SEED", "7"))
CUTS = 600 if FULL else 60
MEAN_SECONDS_BETWEEN_CUTS = 0.1
DEADLINE_SECONDS = 600 if FULL else 120
PAUSE_SECONDS = 0.01                                       # of a producer, so that it is the cuts that a run is made of
SESSION_MS = 6000                                          # after which a killed member's partitions go to others
TOPIC, PARTITIONS = "history", 3


class Writer(threading.Thread):
    """Writes numbered records until it is told to stop; `kept` and `dropped` are what must and must not be in the log afterwards."""

    def __init__(self, name, command, stop):
        super().__init__(name=name)
        self.kept, self.dropped, self.trouble = [], [], None
        self.stop, self.number = stop, 0
        self.random = random.Random(f"{SEED} {name}")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.start()

    def records(self, most):
        first, self.number = self.number, self.number + self.random.randint(1, most)
        return [f"{self.name} {number}" for number in range(first, self.number)]

    def run(self):
        try:
            self.write()
            said, errors = self.process.communicate(timeout=DEADLINE_SECONDS)
            if self.process.returncode != 0:
                self.trouble = f"{self.name}: status {self.process.returncode}\n{said}\n{errors}"
        except (OSError, AssertionError, subprocess.TimeoutExpired) as error:
            self.process.kill()
            self.trouble = f"{self.name}: {error!r}\n{self.process.communicate()[1]}"


class Producer(Writer):
    """kq produce: its status says that every line was delivered."""

    def write(self):
        while not self.stop.is_set():
            records = self.records(200)
            self.process.stdin.write("".join(record + "\n" for record in records))
            self.process.stdin.flush()
            self.kept += records
            self.stop.wait(PAUSE_SECONDS)


class Transactions(Writer):
    """The transaction example: it says of each transaction how it ended."""

    def write(self):
        assert self.process.stdout.readline() == "begun\n"
        while not self.stop.is_set():
            commits, records = self.random.random() < 0.7, self.records(20)
            self.process.stdin.write("".join(record + "\n" for record in [*records, "commit" if commits else "abort"]))
            self.process.stdin.flush()
            said = self.process.stdout.readline()
            assert said == ("committed\n" if commits else "aborted\n"), said
            (self.kept if commits else self.dropped).extend(records)


class Member:
    """kq consume as a member of a group; what it prints is kept in a file that outlives it."""

    def __init__(self, setting, address, number):
        self.path = setting.directory / f"member-{number}"
        command = [setting.kq, "-b", address, "consume", TOPIC, "--group", "readers", "--from-beginning", "--read-committed", "-f",
                   r"%p\t%o\t%v\n", "-X", f"session.timeout.ms={SESSION_MS}"]
        with open(self.path, "wb") as output, open(f"{self.path}.errors", "wb") as errors:
            self.process = subprocess.Popen(command, stdout=output, stderr=errors)

    def read(self):
        whole = self.path.read_text().rpartition("\n")[0]      # the last line of one that was killed may be torn
        return [parsed(line) for line in whole.splitlines()]

    def end(self, by):
        self.process.send_signal(by)
        status = self.process.wait(30)
        assert status == (-by if by == signal.SIGKILL else 0), f"{self.path.name}: status {status}\n{open(f'{self.path}.errors').read()}"


def parsed(line):
    partition, offset, value = line.split("\t")
    return int(partition), int(offset), value


def log_of(kq):
    """The committed records, read when nothing is cut any more."""
    return [parsed(line) for line in kq("consume", TOPIC, "--from-beginning", "--until-end", "--read-committed", "-q", "-f",
                                        r"%p\t%o\t%v\n").splitlines()]


def check_writers(writers, log):
    values = [value for _, _, value in log]
    seen = set(values)
    assert len(values) == len(seen), f"{len(values) - len(seen)} records are there twice"
    kept = {value for writer in writers for value in writer.kept}
    assert not kept - seen, f"{len(kept - seen)} acknowledged records are gone, such as {min(kept - seen)}"
    assert not seen - kept, f"{len(seen - kept)} records of aborted transactions are there, such as {min(seen - kept)}"
    last = {}
    for partition, _, value in sorted(log):
        writer, number = value.rsplit(" ", 1)
        assert last.get((partition, writer), -1) < int(number), f"{value} comes late in partition {partition}"
        last[partition, writer] = int(number)


@case("libkq's history agrees with the log while connections are cut", on=BOTH, always=True, full=(KAFKA,), start=False)
def history(setting, kind):
    broker = setting.broker(kind)
    with Proxy(broker.port, SEED) as proxy:
        broker.config["advertised.listeners"] = f"PLAINTEXT://127.0.0.1:{proxy.port}"
        broker.start()
        address, kq = f"127.0.0.1:{proxy.port}", Command(setting, broker)
        kq("topic", "create", TOPIC, "-p", str(PARTITIONS))
        stop, deadline = threading.Event(), time.monotonic() + DEADLINE_SECONDS
        members = [Member(setting, address, number) for number in range(2)]
        transaction = str(setting.binaries / "examples/example_transaction")
        writers = [Producer(f"plain-{i}", [setting.kq, "-b", address, "produce", TOPIC, "-q"], stop) for i in range(2)]
        writers += [Transactions(f"txn-{i}", [transaction, address, TOPIC, f"txn-{i}"], stop) for i in range(3)]
        proxy.mean_seconds = MEAN_SECONDS_BETWEEN_CUTS
        while proxy.cuts < CUTS / 2 and time.monotonic() < deadline:
            proxy.over.wait(0.05)
        members[0].end(signal.SIGKILL)                     # its partitions go to the others, from where it has committed
        members.append(Member(setting, address, len(members)))
        while proxy.cuts < CUTS and time.monotonic() < deadline and not any(writer.trouble for writer in writers):
            proxy.over.wait(0.05)
        stop.set()
        for writer in writers:
            writer.join(DEADLINE_SECONDS)
        assert not (troubles := [writer.trouble for writer in writers if writer.trouble]), "\n".join(troubles)
        assert proxy.cuts >= CUTS, f"{proxy.cuts} connections cut in {DEADLINE_SECONDS} s"
        proxy.mean_seconds = None
        log = log_of(kq)
        check_writers(writers, log)
        wanted, read = set(log), []
        while not wanted <= set(read) and time.monotonic() < deadline + DEADLINE_SECONDS:
            proxy.over.wait(0.2)
            read = [record for member in members for record in member.read()]
        for member in members[1:]:
            member.end(signal.SIGTERM)
        assert not (missed := wanted - set(read)), f"the group never read {len(missed)} records, such as {min(missed)}"
        assert not (extra := set(read) - wanted), f"the group read what is not committed: {min(extra)}"
        print(f"# {kind}: {proxy.cuts} connections cut; {len(log)} records kept, {sum(len(w.dropped) for w in writers)} aborted, "
              f"{len(read) - len(wanted)} read again")
