"""The programs of examples/ that show a pattern: each does what its first lines say."""

import subprocess

from kqpeer.cases import KAFKA, KQD, case
from kqpeer.command import Command

BOTH = (KAFKA, KQD)
TIMEOUT_SECONDS = 120
VALGRIND = ("valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible")


class Examples(Command):
    """Runs examples as well as kq; `under` is a program to run them with."""

    def __init__(self, setting, broker, under=()):
        super().__init__(setting, broker)
        self.under = under
        self.folder = setting.binaries / "examples"

    def run(self, name, *words, feed=""):
        done = subprocess.run([*self.under, str(self.folder / f"example_{name}"), self.address, *map(str, words)], input=feed,
                              capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        assert done.returncode == 0, f"{name} {words}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def committed(self, group):
        lines = self("group", "describe", group).splitlines()
        return sum(int(line.split("\t")[2] or 0) for line in lines)


@case("the examples of delivery count each record as often as they say", on=BOTH, always=True)
def delivery(setting, broker):
    kq = Examples(setting, broker)
    kq("topic", "create", "t", "-p", "2")
    kq("produce", "t", "-q", feed="".join(f"r{i}\n" for i in range(50)))
    everything = sorted(f"r{i}" for i in range(50))
    assert sorted(kq.run("at_most_once", "most", "t", 50).split()) == everything
    assert sorted(kq.run("at_least_once", "least", "t", 50).split()) == everything
    assert kq.committed("most") == kq.committed("least") == 50
    first = kq.run("at_least_once", "part", "t", 20).split()
    assert len(first) == 20 and kq.committed("part") == 20, first
    assert sorted(first + kq.run("at_least_once", "part", "t", 30).split()) == everything


@case("the example of retry topics loses nothing and lets nobody wait", on=BOTH, always=True)
def retries(setting, broker):
    kq = Examples(setting, broker)
    for topic in ("orders", "orders-retry-1", "orders-retry-2", "orders-dead"):
        kq("topic", "create", topic, "-p", "2")
    values = [f"good-{i}" for i in range(20)] + ["flaky-1", "bad-1", "flaky-2", "bad-2"]
    kq("produce", "orders", "-q", feed="".join(value + "\n" for value in values))
    said = kq.run("retry_topics", "workers", "orders", len(values)).splitlines()
    went = [(line.split(": ")[1], line.split(": ")[0]) for line in said]
    assert [topic for value, topic in went if value == "flaky-1"] == ["orders", "orders-retry-1", "orders-retry-2"], said
    assert sorted(value for value, topic in went if topic == "orders") == sorted(values), said
    dead = kq("consume", "orders-dead", "--from-beginning", "--until-end", "-f", "%v %h\n")
    assert sorted(line.split()[0] for line in dead.splitlines()) == ["bad-1", "bad-2"] and "error=no luck with bad-1" in dead, dead
    assert kq.committed("workers") == 24 + 4 + 4


@case("the example of hot keys spreads what a plain key does not", on=BOTH, always=True)
def hot_keys(setting, broker):
    kq = Examples(setting, broker)
    kq("topic", "create", "sales", "-p", "4")
    said = dict(line.split(": ", 1) if ": " in line else line.split(":", 1) for line in kq.run("hot_keys", "sales").splitlines())
    loads = {way: [int(part.split("=")[1]) for part in said[way].split()] for way in ("plain", "salted", "composite")}
    assert all(sum(load) == 4000 for load in loads.values()) and said["shop-1 in all"] == "3600", said
    assert max(loads["plain"]) >= 3600 and max(loads["salted"]) < 3000 and max(loads["composite"]) < 1500, said


@case("the example of fan-out gives each group everything", on=BOTH, always=True)
def fan_out(setting, broker):
    kq = Examples(setting, broker)
    kq("topic", "create", "orders", "-p", "4")
    assert kq.run("fan_out", "orders", 200) == "billing has 200, shipping has 200 of 200\n"


@case("the example of a table keeps the last value of each key", on=BOTH, always=True)
def table(setting, broker):
    kq = Examples(setting, broker)
    said = kq.run("table", "prices", feed="put tea 3\nput coffee 4\nput tea 5\nget tea\ndelete coffee\nget coffee\n")
    assert said == "5\nnothing\n", said
    assert kq.run("table", "prices", feed="list\nput milk 1\n") == "tea 5\n"
    assert json_config(kq, "prices") == "compact"


def json_config(kq, topic):
    return next(line.split("\t")[2] for line in kq("config", "describe", "topic", topic).splitlines() if "cleanup.policy" in line)


@case("the example of epoll sends and prints ticks beside a timer", on=BOTH, always=True)
def epoll(setting, broker):
    kq = Examples(setting, broker)
    kq("topic", "create", "ticks", "-p", "1")
    assert kq.run("epoll", "ticks", 5).split("\n")[:5] == [f"tick {i}" for i in range(5)]


@case("valgrind finds nothing in the examples", on=KQD)
def valgrind(setting, broker):
    kq = Examples(setting, broker, under=VALGRIND)
    kq("topic", "create", "t", "orders", "sales", "ticks", "-p", "2")
    kq("config", "set", "group", "s", "share.auto.offset.reset=earliest")
    kq.run("produce", "t", feed="".join(f"r{i}\n" for i in range(20)))
    kq.run("group", "g", "t", 20)
    kq.run("share", "s", "t", 20)
    kq.run("at_least_once", "least", "t", 20)
    kq.run("transaction", "t", "one", feed="a\ncommit\nb\nabort\n")
    kq.run("roundtrip", "greetings")
    kq.run("fan_out", "orders", 20)
    kq.run("hot_keys", "sales")
    kq.run("table", "prices", feed="put tea 3\nget tea\nlist\n")
    kq.run("epoll", "ticks", 5)
