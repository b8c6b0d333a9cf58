"""The kq command itself: what it prints, what it leaves with, what it says when something is wrong."""

import json
import signal
import subprocess
import time

from kqpeer.cases import case
from kqpeer.servers import free_port

DONE, REFUSED, USAGE, UNREACHABLE, IO = 0, 1, 2, 3, 4


class Command:
    """Runs kq against a broker: with the status that is expected, else the case fails with what it said."""

    def __init__(self, setting, broker):
        self.kq, self.address = setting.kq, broker.address

    def __call__(self, *words, feed="", status=DONE):
        done = subprocess.run([self.kq, "-b", self.address, *words], input=feed, capture_output=True, text=True, timeout=60)
        assert (
            done.returncode == status
        ), f"kq {' '.join(words)}: status {done.returncode}, not {status}\n{done.stdout}\n{done.stderr}"
        self.said = done.stderr
        return done.stdout


@case("kq creates, lists, describes, grows and deletes topics", always=True)
def topics(setting, broker):
    kq = Command(setting, broker)
    assert (
        json.loads(kq("topic", "create", "orders", "audit", "-p", "3", "-c", "retention.ms=3600000", "-o", "json"))[0][
            "partitions"
        ]
        == 3
    )
    kq("topic", "create", "orders", status=REFUSED)
    assert "orders" in kq.said and "TOPIC_ALREADY_EXISTS" in kq.said, kq.said
    kq("topic", "create", "orders", "--if-not-exists")
    kq("topic", "create", "nowhere", "--validate-only")
    assert [line.split("\t")[:2] for line in kq("topic", "list").splitlines()] == [["audit", "3"], ["orders", "3"]]
    kq("produce", "orders", "-p", "1", "-q", feed="a\nb\n")
    described = json.loads(kq("topic", "describe", "orders", "-o", "json"))[0]
    assert described["configs"]["retention.ms"] == "3600000" and len(described["topic_id"]) == 22, described
    assert [(row["partition"], row["leader"], row["first_offset"], row["end_offset"]) for row in described["partitions"]] == [
        (0, 1, 0, 0),
        (1, 1, 0, 2),
        (2, 1, 0, 0),
    ], described
    table = kq("topic", "describe", "orders", "-o", "table")
    assert "retention.ms = 3600000" in table and "PARTITION" in table, table
    kq("topic", "describe", "nothing", status=REFUSED)
    assert "nothing" in kq.said and "UNKNOWN_TOPIC_OR_PARTITION" in kq.said, kq.said
    kq("topic", "add-partitions", "orders", "--to", "5")
    assert len(kq("topic", "describe", "orders").splitlines()) == 5
    kq("topic", "add-partitions", "orders", "--to", "2", status=REFUSED)
    assert "INVALID_PARTITIONS" in kq.said, kq.said
    kq("topic", "delete", "orders", "audit")
    kq("topic", "delete", "orders", status=REFUSED)
    kq("topic", "delete", "orders", "--if-exists")
    assert kq("topic", "list") == ""
    kq("topic", "create", "bad/name", status=REFUSED)
    assert "INVALID_TOPIC_EXCEPTION" in kq.said, kq.said


@case("kq produces lines with keys, headers and nulls, and consumes them by offset, time, count and format", always=True)
def lines(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "lines", "-p", "1", "-q")
    source = setting.file("lines.txt", "k1|first\nno key\n|empty key\nk2|NULL\nk3|Grüße")
    kq("produce", "lines", source, "--key-delimiter", "|", "--null", "NULL", "-H", "from=file", "-H", "kind=")
    assert "5 records" in kq.said, kq.said
    form = "%p %o %k %v %K %V %h|"
    everything = ["consume", "lines", "--from-beginning", "--until-end"]
    assert kq(*everything, "-f", form, "--null", "-") == (
        "0 0 k1 first 2 5 from=file,kind=|0 1 - no key -1 6 from=file,kind=|0 2  empty key 0 9 from=file,kind=|"
        "0 3 k2 - 2 -1 from=file,kind=|0 4 k3 Grüße 2 7 from=file,kind=|"
    )
    assert kq("consume", "lines", "--offset", "3", "--until-end") == "\nGrüße\n"
    assert kq("consume", "lines", "--offset", "-2", "--until-end", "-f", "%o ") == "3 4 "
    assert kq("consume", "lines", "--from-beginning", "-n", "2") == "first\nno key\n"
    middle = int(time.time() * 1000) + 1
    time.sleep(0.01)
    kq("produce", "lines", "--key-field", "2", feed="a b c\nlonely\n")
    assert kq("consume", "lines", "--from", str(middle), "--until-end", "-f", "%k=%v\n") == "b=a b c\n=lonely\n"
    assert kq("consume", "lines", "--from", "1h", "--until-end", "-f", "%o") == "0123456"
    assert kq("consume", "lines", "--from", "2099-01-01", "--until-end") == ""
    rows = [json.loads(line) for line in kq(*everything, "-o", "json").splitlines()]
    assert (
        rows[0]["key"] == "k1"
        and rows[3]["value"] is None
        and rows[4]["value"] == "Grüße"
        and rows[0]["headers"][0] == {"key": "from", "value": "file"}
    )
    kq("topic", "create", "copy", "-p", "1", "-q")
    kq("produce", "copy", "--input", "json", "-q", feed=kq(*everything, "-o", "json"))
    again = [json.loads(line) for line in kq("consume", "copy", "--from-beginning", "--until-end", "-o", "json").splitlines()]
    assert [{**row, "topic": ""} for row in again] == [{**row, "topic": ""} for row in rows]


@case("kq follows a topic until it is interrupted, and shows records as they come", always=True)
def follows(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "live", "-p", "2", "-q")
    reader = subprocess.Popen(
        [setting.kq, "-b", broker.address, "consume", "live", "--from-beginning"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    writer = subprocess.Popen(
        [setting.kq, "-b", broker.address, "produce", "live"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        for i in range(5):
            writer.stdin.write(f"line {i}\n")
            writer.stdin.flush()
            assert reader.stdout.readline() == f"line {i}\n"
        writer.stdin.close()
        assert writer.wait(10) == DONE
        reader.send_signal(signal.SIGINT)
        assert reader.wait(10) == DONE
    finally:
        for process in (reader, writer):
            process.kill()
            process.wait()


@case("kq says what is wrong and leaves with the status of its manual", always=True)
def failures(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "small", "-p", "1", "-c", "max.message.bytes=1000", "-q")
    kq("produce", "small", "-q", feed="x" * 5000 + "\n", status=REFUSED)
    assert "MESSAGE_TOO_LARGE" in kq.said, kq.said
    kq("produce", "small", "-p", "7", feed="x\n", status=REFUSED)
    kq("produce", "small", "/not/there", status=IO)
    kq("produce", "small", "-i", "json", feed='{"value": 7}\n', status=USAGE)
    kq("consume", status=USAGE)
    kq("consume", "small", "--from", "yesterday", status=USAGE)
    kq("consume", "small", "-f", "%z", status=USAGE)
    kq("topic", "list", "-X", "linger.msec=5", status=USAGE)
    assert "linger.ms" in kq.said, f"the nearest known key is not named: {kq.said}"
    kq("topic", "list", "-X", "linger.ms=soon", status=USAGE)
    kq("topic", "list", "-F", "/not/there", status=IO)
    kq.address = f"127.0.0.1:{free_port()}"
    kq("topic", "list", "--timeout", "1500", status=UNREACHABLE)
    assert kq.address in kq.said, f"the address is not named: {kq.said}"
    kq("produce", "small", "--timeout", "1500", feed="x\n", status=UNREACHABLE)


@case("kq shows the cluster", always=True)
def cluster(setting, broker):
    kq = Command(setting, broker)
    shown = json.loads(kq("cluster", "-o", "json"))
    assert (
        len(shown["cluster_id"]) == 22
        and shown["nodes"][0]["address"] == broker.address
        and shown["nodes"][0]["controller"] == "yes"
    ), shown


@case("kq bench counts every delivery and reads every byte", always=True)
def bench(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "load", "-p", "1", "-q")
    produced = json.loads(kq("bench", "produce", "load", "-n", "20000", "-s", "77", "--warmup", "10", "-o", "json"))
    assert (produced["records"], produced["bytes"], produced["failed"]) == (20000, 20000 * 77, 0), produced
    first, second = (json.loads(kq("bench", "consume", "load", "-n", "20010", "-o", "json")) for _ in range(2))
    assert first["sum"] == second["sum"] and 0 < first["records"] < 20010, first
