"""kq's nouns of administration, and `kq cat` beside the real kcat."""

import json
import subprocess

from kqpeer.admin_client import RULED, open_transaction
from kqpeer.cases import KAFKA, KQD, case
from kqpeer.command import REFUSED, USAGE, Command

BOTH = (KAFKA, KQD)


def rows(text):
    return [line.split("\t") for line in text.splitlines()]


@case("kq config lists the client's settings, and describes, sets and deletes the cluster's", on=BOTH, always=True)
def config(setting, broker):
    kq = Command(setting, broker)
    options = json.loads(kq("config", "list", "-o", "json"))
    linger = next(option for option in options if option["name"] == "linger.ms")
    assert linger["type"] == "int" and linger["default"] is not None and linger["meaning"], linger
    assert [row[0] for row in rows(kq("config", "list", "linger"))] == ["linger.ms"]
    kq("topic", "create", "t", "-p", "1", "-q")
    kq("config", "set", "topic", "t", "retention.ms=86400000", "cleanup.policy=compact")
    assert {row[1]: row[2] for row in rows(kq("config", "describe", "topic", "t"))} == {"retention.ms": "86400000", "cleanup.policy": "compact"}
    kq("config", "set", "topic", "t", "--append", "cleanup.policy=delete")
    shown = {row[1]: row[2] for row in rows(kq("config", "describe", "topic", "t"))}
    assert sorted(shown["cleanup.policy"].split(",")) == ["compact", "delete"], shown
    kq("config", "set", "topic", "t", "retention.ms=1", "--validate-only")
    kq("config", "delete", "topic", "t", "retention.ms")
    assert [row[1] for row in rows(kq("config", "describe", "topic", "t"))] == ["cleanup.policy"]
    everything = {row[1]: row[2] for row in rows(kq("config", "describe", "topic", "t", "--all"))}
    assert everything["retention.ms"] == "604800000" and len(everything) > 20, everything
    kq("config", "set", "topic", "t", "retention.ms=soon", status=REFUSED)
    assert "INVALID_CONFIG" in kq.said, kq.said
    kq("config", "set", "topic", "t", "retention.ms", status=USAGE)
    kq("config", "set", "planet", "t", "a=b", status=USAGE)
    kq("config", "set", "broker", "1", "log.cleaner.threads=2")
    assert ["1", "log.cleaner.threads", "2", "dynamic_broker", "int", ""] in rows(kq("config", "describe", "broker", "1"))
    kq("config", "delete", "broker", "1", "log.cleaner.threads")


@case("kq transaction lists, describes and aborts, and shows who writes", on=BOTH, always=True)
def transactions(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "t", "-p", "2", "-q")
    worker = open_transaction(setting, broker, "one", "t")
    try:
        listed = rows(kq("transaction", "list"))
        assert [row[0] for row in listed] == ["one"], listed
        assert kq("transaction", "list", "--state", "Ongoing") == ""
        described = json.loads(kq("transaction", "describe", "one", "-o", "json"))[0]
        assert described["coordinator"] == 1 and described["timeout_ms"] > 0, described
        kq("transaction", "describe", "nobody", status=REFUSED)
        writers = rows(kq("transaction", "producers", "t"))
        assert writers and all(len(row) == 6 and row[5] == "" for row in writers), writers
        kq("transaction", "abort", "nobody", status=REFUSED)
        kq("transaction", "abort", status=USAGE)
        kq("transaction", "abort", "--topic", "t", "--partition", "0", "--start-offset", "77", status=REFUSED)
        kq("transaction", "abort", "one")
        said, errors = worker.communicate("late\ncommit\n", timeout=60)
        assert worker.returncode != 0, said + errors
    finally:
        worker.kill()
        worker.wait()


@case("kq acl adds, lists and removes rules", on=KAFKA, always=True, config=RULED)
def acls(setting, broker):
    kq = Command(setting, broker)
    kq("acl", "add", "--principal", "User:alice", "--operation", "read,describe-configs", "--topic", "orders")
    kq("acl", "add", "--principal", "User:bob", "--operation", "all", "--group", "billing-", "--prefixed", "--deny", "--host", "10.0.0.1", "-q")
    kq("acl", "add", "--principal", "User:bob", "--operation", "alter", "--cluster", "-q")
    assert len(rows(kq("acl", "list"))) == 4
    assert rows(kq("acl", "list", "--group", "billing-7", "--match")) == [
        ["User:bob", "deny", "all", "group", "billing-", "prefixed", "10.0.0.1"]]
    gone = rows(kq("acl", "remove", "--principal", "User:alice", "--topic", "orders"))
    assert sorted(row[2] for row in gone) == ["describe_configs", "read"], gone
    kq("acl", "remove", status=USAGE)
    kq("acl", "add", "--principal", "User:alice", "--operation", "read", status=USAGE)
    kq("acl", "add", "--principal", "User:alice", "--operation", "fly", "--topic", "t", status=USAGE)
    kq("acl", "remove", "--all", "-q")
    assert kq("acl", "list") == ""


@case("kq user and kq quota set, list and delete", on=KAFKA, always=True)
def users_and_quotas(setting, broker):
    kq = Command(setting, broker)
    kq("user", "set", "alice", feed="wonderland\n")
    kq("user", "set", "bob", "--mechanism", "SCRAM-SHA-256", "--iterations", "8192", "--password-file", setting.file("secret", "builder\n"))
    assert sorted(rows(kq("user", "list"))) == [["alice", "SCRAM-SHA-512", "4096"], ["bob", "SCRAM-SHA-256", "8192"]]
    kq("user", "set", "eve", feed="\n", status=USAGE)
    kq("user", "delete", "alice")
    kq("user", "delete", "alice", status=REFUSED)
    kq("quota", "set", "--user", "alice", "producer_byte_rate=1048576", "request_percentage=12.5")
    kq("quota", "set", "--user", "alice", "--client-id-default", "consumer_byte_rate=2e6")
    kq("quota", "set", "--ip-default", "connection_creation_rate=10")
    shown = json.loads(kq("quota", "list", "-o", "json"))
    assert len(shown) == 4 and {"user": "alice", "client_id": "(default)", "ip": None} in [
        {key: row[key] for key in ("user", "client_id", "ip")} for row in shown], shown
    assert len(rows(kq("quota", "list", "--ip-default"))) == 1
    kq("quota", "delete", "--user", "alice", "producer_byte_rate", "request_percentage")
    assert len(rows(kq("quota", "list"))) == 2
    kq("quota", "set", "producer_byte_rate=1", status=USAGE)


@case("kq topic delete-records deletes by offset and by time", on=BOTH, always=True)
def delete_records(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "t", "-p", "2", "-q")
    for partition in "01":
        kq("produce", "t", "-p", partition, "-q", feed="x\n" * 10)
    assert rows(kq("topic", "delete-records", "t", "-p", "1", "--before", "4")) == [["t", "1", "4"]]
    assert rows(kq("topic", "delete-records", "t", "--before-time", "1h")) == [["t", "0", "0"], ["t", "1", "4"]]
    kq("topic", "delete-records", "t", "--before", "-1", "-q")
    assert [row[4] for row in rows(kq("topic", "describe", "t"))] == ["10", "10"]
    kq("topic", "delete-records", "t", "-p", "0", "--before", "99", status=REFUSED)
    kq("topic", "delete-records", "t", status=USAGE)


@case("kq admin lists and explains its operations", on=KQD)
def admin(setting, broker):
    kq = Command(setting, broker)
    assert len(rows(kq("admin"))) >= 40
    assert ["topic", "item", "string", "", "The topic's name."] in rows(kq("admin", "delete_records", "--explain"))
    kq("admin", "make_coffee", status=USAGE)
    kq("admin", "delete_records", "topic=t", status=USAGE)
    assert "partition" in kq.said, kq.said


def both_cats(setting, broker, *words, feed=""):
    """What kcat and kq cat print for the same words."""
    said = []
    for command in (["kcat"], [setting.kq, "cat"]):
        done = subprocess.run([*command, "-b", broker.address, *words], input=feed, capture_output=True, text=True, errors="backslashreplace",
                              timeout=60)
        assert done.returncode == 0, f"{command} {words}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        said.append((done.stdout, done.stderr))
    return said


def ours_alone(setting, broker, *words):
    return subprocess.run([setting.kq, "cat", "-b", broker.address, *words], capture_output=True, text=True, timeout=60)


@case("kq cat prints what kcat prints", on=BOTH, always=True)
def cat(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "t", "-p", "1", "-q")
    kq("topic", "create", "two", "-p", "2", "-q")
    feed = "a:1\n\nb\n:c\nd:\ne:f:g\n"
    for program in (["kcat"], [setting.kq, "cat"]):  # each writes what the other has written, into a topic of its own
        for words in (["-K:"], ["-K:", "-Z", "-H", "x=1", "-H", "y", "-H", "z=", "-k", "fix"], ["-k", "key", "-z", "gzip"], ["-c", "2"], ["-D", ";"]):
            topic = "from-kq" if program[0] == setting.kq else "from-kcat"
            subprocess.run([*program, "-P", "-b", broker.address, "-t", topic, "-p", "0", *words], input=feed, text=True, check=True, timeout=60)
    form = ["-C", "-e", "-q", "-f", "%o %k|%K %s|%S [%h]\\n"]
    texts = [subprocess.run(["kcat", "-b", broker.address, "-t", topic, *form], capture_output=True, text=True, check=True, timeout=60).stdout
             for topic in ("from-kcat", "from-kq")]
    assert texts[0] == texts[1], f"{texts[0]}\n---\n{texts[1]}"
    for words in (["-C", "-e"], ["-C", "-e", "-K:", "-Z"], ["-C", "-e", "-J"], ["-C", "-e", "-o", "3"], ["-C", "-e", "-o", "-2"], ["-C", "-o", "beginning", "-c", "4"],
                  ["-C", "-e", "-D", ";"], ["-C", "-e", "-f", "%t [%p] at %o: %k = %s \\x41\\t%T %R\\n"], ["-C", "-e", "-o", "s@0"], ["-C", "-e", "-u", "-q"]):
        kcat, ours = both_cats(setting, broker, "-t", "from-kcat", *words)
        assert kcat[0] == ours[0], f"{words}\n{kcat[0]}\n---\n{ours[0]}"
        ends = [[line for line in said.splitlines() if "Reached end" in line] for said in (kcat[1], ours[1])]
        assert ends[0] == ends[1], f"{words}: {ends}"
    for words in (["-L", "-t", "two"], ["-L", "-J", "-t", "two"], ["-Q", "-t", "from-kcat:0:-1"], ["-Q", "-t", "from-kcat:0:-2"],
                  ["-Q", "-t", "from-kcat:0:1"], ["-Q", "-J", "-t", "from-kcat:0:-1"]):
        kcat, ours = both_cats(setting, broker, *words)
        assert kcat[0] == ours[0], f"{words}\n{kcat[0]}\n---\n{ours[0]}"
    kcat, ours = both_cats(setting, broker, "-P", "-t", "two", "-T", feed="x\ny\n")
    assert kcat[0] == ours[0] == "xy", (kcat, ours)
    read = subprocess.run([setting.kq, "cat", "-b", broker.address, "-G", "g", "-o", "beginning", "-e", "two"], capture_output=True, text=True, timeout=60)
    assert sorted(read.stdout.split()) == ["x", "x", "y", "y"] and "rebalanced" in read.stderr, read
    whole = setting.file("whole", "several\nlines\n")
    ours_alone(setting, broker, "-P", "-t", "files", "-p", "0", whole)
    ours_alone(setting, broker, "-P", "-t", "files", "-p", "0", "-l", whole)
    assert json.loads(kq("consume", "files", "--from-beginning", "--until-end", "-n", "1", "-o", "json"))["value"] == "several\nlines\n"
    assert ours_alone(setting, broker, "-C", "-t", "files", "-e", "-o", "1", "-q").stdout == "several\nlines\n"
    assert ours_alone(setting, broker, "-C").returncode == USAGE and ours_alone(setting, broker, "-Y").returncode == USAGE
