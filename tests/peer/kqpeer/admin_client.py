"""Every operation of kq.h's table, by `kq admin`: against Apache Kafka, and against kqd as far as kqd has it."""

import json
import subprocess

from kqpeer.cases import KAFKA, KQD, case
from kqpeer.command import DONE, REFUSED, Command
from kqpeer.servers import java

RULED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


class Admin:
    """Runs operations, and answers with rows as dictionaries.  The case fails where a row has an error, unless one is expected."""

    def __init__(self, setting, broker):
        self.kq = Command(setting, broker)

    def __call__(self, operation, /, *items, error=None, **whole):
        words = [f"{key}={value}" for key, value in whole.items()]
        for number, item in enumerate(items):
            words += (["+"] if number else []) + [f"{key}={value}" for key, value in item.items()]
        said = self.kq("admin", operation, *words, "-o", "json", status=REFUSED if error else DONE)
        rows = json.loads(said) if said else []
        assert not error or error in self.kq.said, f"{operation}: {self.kq.said}"
        return rows


@case("libkq's admin deletes records and tells producers", always=True)
def records(setting, broker):
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 2}, {"topic": "u", "partitions": 1})
    for partition, count in (("0", 5), ("1", 3)):
        admin.kq("produce", "t", "-p", partition, "-q", feed="x\n" * count)
    rows = admin("delete_records", {"topic": "t", "partition": 0, "offset": 2}, {"topic": "t", "partition": 1, "offset": -1},
                 {"topic": "u", "partition": 0, "offset": 0})
    assert [(row["topic"], row["partition"], row["low_watermark"]) for row in rows] == [("t", 0, 2), ("t", 1, 3), ("u", 0, 0)], rows
    first = admin("list_offsets", {"topic": "t", "partition": 0, "timestamp": -2}, {"topic": "t", "partition": 1, "timestamp": -2})
    assert [row["offset"] for row in first] == [2, 3], first
    rows = admin("delete_records", {"topic": "t", "partition": 0, "offset": 99}, {"topic": "t", "partition": 1, "offset": 3},
                 {"topic": "t", "partition": 9, "offset": 0}, error="OFFSET_OUT_OF_RANGE")
    assert [row.get("error", {}).get("name") for row in rows] == ["OFFSET_OUT_OF_RANGE", None, "UNKNOWN_TOPIC_OR_PARTITION"], rows
    told = admin("describe_producers", {"topic": "t", "partition": 0}, {"topic": "u", "partition": 0})
    producer = told[0]["producers"][0]
    assert (producer["producer_epoch"], producer["last_sequence"], producer["transaction_start_offset"]) == (0, 4, None), told
    assert told[1]["producers"] == [], told
    admin("describe_producers", {"topic": "t", "partition": 7}, error="UNKNOWN_TOPIC_OR_PARTITION")


def open_transaction(setting, broker, ident, topic):
    """A producer that leaves its transaction open: its process, which waits for more."""
    program = str(setting.binaries / "examples/example_transaction")
    worker = subprocess.Popen([program, broker.address, topic, ident], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    assert worker.stdout.readline() == "begun\n"
    worker.stdin.write("one\ncommit\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "committed\n"
    return worker


@case("libkq's admin lists, describes, aborts and fences transactions", always=True)
def transactions(setting, broker):
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 1})
    worker = open_transaction(setting, broker, "one", "t")
    try:
        listed = admin("list_transactions")
        assert [(row["transactional_id"], row["coordinator"]) for row in listed] == [("one", 1)], listed
        state = listed[0]["state"]
        assert state in ("CompleteCommit", "PrepareCommit"), listed
        assert admin("list_transactions", state="Ongoing") == []
        assert len(admin("list_transactions", pattern="o.*")) == 1 and admin("list_transactions", pattern="x.*") == []
        assert len(admin("list_transactions", producer_id=listed[0]["producer_id"])) == 1
        row = admin("describe_transactions", {"transactional_id": "one"})[0]
        assert row["producer_id"] == listed[0]["producer_id"] and row["timeout_ms"] > 0 and row["partitions"] == [], row
        admin("describe_transactions", {"transactional_id": "nobody"}, error="TRANSACTIONAL_ID_NOT_FOUND")
        fenced = admin("fence_producers", {"transactional_id": "one"})[0]
        assert (fenced["producer_id"], fenced["producer_epoch"]) > (row["producer_id"], row["producer_epoch"]), fenced
        out, errors = worker.communicate("late\ncommit\n", timeout=60)
        assert worker.returncode != 0 and "committed" not in out, out + errors
    finally:
        worker.kill()
        worker.wait()


@case("libkq's admin aborts a transaction that hangs", always=True)
def hanging(setting, broker):
    """kq's producers leave none behind: one with a marker that nobody asked for is enough to see it written."""
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 1})
    worker = open_transaction(setting, broker, "one", "t")
    try:
        producer = admin("describe_producers", {"topic": "t", "partition": 0})[0]["producers"][0]
        end = admin("list_offsets", {"topic": "t", "partition": 0, "timestamp": -1})[0]["offset"]
        marker = {"topic": "t", "partition": 0, "producer_id": producer["producer_id"], "producer_epoch": producer["producer_epoch"] + 1,
                  "coordinator_epoch": producer["coordinator_epoch"] or 0}
        admin("abort_transactions", marker)
        assert admin("list_offsets", {"topic": "t", "partition": 0, "timestamp": -1})[0]["offset"] == end + 1
        after = admin("describe_producers", {"topic": "t", "partition": 0})[0]["producers"][0]
        assert after["transaction_start_offset"] is None and after["producer_epoch"] == producer["producer_epoch"] + 1, after
        admin("abort_transactions", {**marker, "producer_epoch": 0, "coordinator_epoch": 0}, error="INVALID_PRODUCER_EPOCH")
    finally:
        worker.kill()
        worker.wait()


@case("libkq's admin creates, describes and deletes access rules", on=KAFKA, always=True, config=RULED)
def rules(setting, broker):
    admin = Admin(setting, broker)
    alice = {"resource_type": "topic", "resource": "t", "principal": "User:alice", "operation": "read"}
    prefixed = {"resource_type": "group", "resource": "g-", "pattern_type": "prefixed", "principal": "User:bob", "operation": "all",
                "permission": "deny", "host": "10.0.0.1"}
    admin("create_acls", alice, prefixed)
    rows = admin("create_acls", {**alice, "principal": "nobody"}, {**alice, "operation": "write"}, error="INVALID_REQUEST")
    assert "error" in rows[0] and "error" not in rows[1], rows
    everything = admin("describe_acls")
    assert len(everything) == 3, everything
    assert admin("describe_acls", resource_type="group") == [prefixed], everything
    assert admin("describe_acls", resource_type="group", resource="g-1", pattern_type="match") == [prefixed]
    assert admin("describe_acls", principal="User:alice", operation="read") == [
        {**alice, "pattern_type": "literal", "host": "*", "permission": "allow"}]
    gone = admin("delete_acls", {"principal": "User:alice"}, {"resource_type": "topic", "principal": "User:eve"})
    assert [len(row["acls"]) for row in gone] == [2, 0], gone
    assert admin("describe_acls") == [prefixed]
    shown = subprocess.run(java("org.apache.kafka.tools.AclCommand", "--bootstrap-server", broker.address, "--list"),
                           capture_output=True, text=True, timeout=60).stdout
    assert "User:bob" in shown and "User:alice" not in shown, shown
    admin.kq("admin", "delete_acls", status=2)
    admin.kq("admin", "describe_acls", "operation=fly", status=2)
    assert "idempotent_write" in admin.kq.said, admin.kq.said


@case("libkq's admin says where there is no authorizer", on=KAFKA, always=True)
def no_rules(setting, broker):
    admin = Admin(setting, broker)
    admin("describe_acls", error="SECURITY_DISABLED")


@case("libkq's admin sets, describes and deletes SCRAM users", on=KAFKA, always=True, config={
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"})
def users(setting, broker):
    admin = Admin(setting, broker)
    admin("alter_user_scram_credentials", {"user": "alice", "mechanism": "SCRAM-SHA-256", "password": "wonder"},
          {"user": "bob", "mechanism": "SCRAM-SHA-512", "password": "builder"})
    again = {"user": "alice", "mechanism": "SCRAM-SHA-512", "password": "wonder", "iterations": 8192}
    admin("alter_user_scram_credentials", again, again, error="DUPLICATE_RESOURCE")
    admin("alter_user_scram_credentials", again)
    told = {row["user"]: row["credentials"] for row in admin("describe_user_scram_credentials")}
    assert told == {"alice": [{"mechanism": "SCRAM-SHA-256", "iterations": 4096}, {"mechanism": "SCRAM-SHA-512", "iterations": 8192}],
                    "bob": [{"mechanism": "SCRAM-SHA-512", "iterations": 4096}]}, told
    admin("alter_user_scram_credentials", {"user": "alice", "mechanism": "SCRAM-SHA-256", "operation": "delete"})
    rows = admin("describe_user_scram_credentials", {"user": "alice"}, {"user": "eve"}, error="RESOURCE_NOT_FOUND")
    assert len(rows[0]["credentials"]) == 1 and "error" in rows[1], rows
    admin("alter_user_scram_credentials", {"user": "eve", "mechanism": "SCRAM-SHA-512", "operation": "delete"}, error="RESOURCE_NOT_FOUND")
    admin("alter_user_scram_credentials", {"user": "eve", "mechanism": "SCRAM-SHA-512", "password": "x", "iterations": 5},
          error="UNACCEPTABLE_CREDENTIAL")
    admin.kq("admin", "alter_user_scram_credentials", "user=eve", "mechanism=PLAIN", "password=x", status=2)
    logs = broker.log.read_text(errors="replace")
    assert "wonder" not in logs and "builder" not in logs


@case("libkq's admin sets, describes and removes quotas", on=KAFKA, always=True)
def quotas(setting, broker):
    admin = Admin(setting, broker)
    admin("alter_client_quotas", {"user": "alice", "quota": "producer_byte_rate", "value": "1048576"},
          {"user": "alice", "quota": "request_percentage", "value": "12.5"},
          {"user": "alice", "client_id": "", "quota": "consumer_byte_rate", "value": "100"},
          {"user": "", "quota": "consumer_byte_rate", "value": "200"}, {"ip": "10.0.0.1", "quota": "connection_creation_rate", "value": "5"})
    rows = admin("describe_client_quotas", {"entity": "user", "match": "exact", "name": "alice"}, strict=1)
    assert len(rows) == 1 and rows[0]["user"] == "alice" and rows[0]["client_id"] is None, rows
    assert {row["quota"]: float(row["value"]) for row in rows[0]["quotas"]} == {"producer_byte_rate": 1048576, "request_percentage": 12.5}, rows
    both = admin("describe_client_quotas", {"entity": "user", "match": "exact", "name": "alice"}, {"entity": "client_id", "match": "default"})
    assert [(row["user"], row["client_id"]) for row in both] == [("alice", "")], both
    assert [row["user"] for row in admin("describe_client_quotas", {"entity": "user", "match": "default"})] == [""]
    assert len(admin("describe_client_quotas")) == 4
    admin("alter_client_quotas", {"user": "alice", "quota": "flights", "value": "1"}, error="INVALID_REQUEST")
    admin("alter_client_quotas", {"user": "alice", "quota": "producer_byte_rate"}, validate_only=1)
    admin("alter_client_quotas", {"user": "alice", "quota": "producer_byte_rate"}, {"user": "alice", "quota": "request_percentage"})
    assert len(admin("describe_client_quotas")) == 3
    admin.kq("admin", "alter_client_quotas", "user=alice", "quota=producer_byte_rate", "value=much", status=2)


@case("libkq's admin describes and moves what lies in a broker's directories", on=KAFKA, always=True, start=False)
def directories(setting, kind):
    broker = setting.broker(kind)
    broker.config["log.dirs"] = f"{broker.data},{broker.home / 'data2'}"
    broker.start()
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 1})
    admin.kq("produce", "t", "-q", feed="x\n" * 10)
    told = admin("describe_log_dirs", topic="t")
    assert [row["broker"] for row in told] == [1] and len(told[0]["dirs"]) == 2, told
    held = {entry["path"]: [part for part in entry["partitions"] if not part["future"]] for entry in told[0]["dirs"]}
    path = next(path for path, parts in held.items() if parts)
    assert held[path][0]["bytes"] > 0 and told[0]["dirs"][0]["total_bytes"] > 0, told
    other = next(path for path, parts in held.items() if not parts)
    admin("alter_replica_log_dirs", {"broker": 1, "topic": "t", "partition": 0, "path": other})
    admin("alter_replica_log_dirs", {"broker": 1, "topic": "t", "partition": 0, "path": "/not/there"}, error="LOG_DIR_NOT_FOUND")
    admin("describe_log_dirs", {"broker": 7}, error="BROKER_NOT_AVAILABLE")


@case("libkq's admin elects leaders and lists and alters reassignments", on=KAFKA, always=True)
def replicas(setting, broker):
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 2})
    assert admin("elect_leaders") == []
    rows = admin("elect_leaders", {"topic": "t", "partition": 0}, {"topic": "t", "partition": 9}, error="ELECTION_NOT_NEEDED")
    assert [row["error"]["name"] for row in rows] == ["ELECTION_NOT_NEEDED", "UNKNOWN_TOPIC_OR_PARTITION"], rows
    admin("elect_leaders", {"topic": "t", "partition": 0}, election="unclean", error="ELECTION_NOT_NEEDED")
    assert admin("list_partition_reassignments") == [] and admin("list_partition_reassignments", {"topic": "t", "partition": 1}) == []
    admin("alter_partition_reassignments", {"topic": "t", "partition": 0, "replicas": "1"})
    rows = admin("alter_partition_reassignments", {"topic": "t", "partition": 0}, {"topic": "t", "partition": 1, "replicas": "7"},
                 error="NO_REASSIGNMENT_IN_PROGRESS")
    assert [row["error"]["name"] for row in rows] == ["NO_REASSIGNMENT_IN_PROGRESS", "INVALID_REPLICA_ASSIGNMENT"], rows


@case("libkq's admin tells what lies where, what can have settings, and elects no leader in vain", always=True)
def operators(setting, broker):
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 2})
    admin.kq("produce", "t", "-p", "0", "-q", feed="x\n" * 10)
    dirs = admin("describe_log_dirs", topic="t")[0]["dirs"]
    sizes = {part["partition"]: part["bytes"] for part in dirs[0]["partitions"]}
    assert len(dirs) == 1 and sizes[0] > sizes[1] == 0 and dirs[0]["usable_bytes"] > 0, dirs
    assert {"resource_type": "topic", "resource": "t"} in admin("list_config_resources")
    assert admin("list_partition_reassignments") == []
    rows = admin("elect_leaders", {"topic": "t", "partition": 0}, {"topic": "t", "partition": 9}, error="ELECTION_NOT_NEEDED")
    assert [row["error"]["name"] for row in rows] == ["ELECTION_NOT_NEEDED", "UNKNOWN_TOPIC_OR_PARTITION"], rows


@case("libkq's admin tells features, the quorum, and what can have settings", on=KAFKA, always=True)
def cluster_wide(setting, broker):
    admin = Admin(setting, broker)
    features = {row["feature"]: row for row in admin("describe_features")}
    assert features["metadata.version"]["version"] > 20 and features["share.version"]["max_version"] >= 1, features
    now = features["metadata.version"]["version"]
    admin("update_features", {"feature": "metadata.version", "version": now - 1, "change": "safe_downgrade"}, validate_only=1, error="")
    admin("update_features", {"feature": "flight.version", "version": 1}, error="flight.version")
    quorum = admin("describe_quorum")[0]
    assert quorum["leader"] == 1 and [voter["node"] for voter in quorum["voters"]] == [1] and quorum["high_watermark"] > 0, quorum
    admin("create_topics", {"topic": "t", "partitions": 1})
    listed = admin("list_config_resources")
    assert {"resource_type": "topic", "resource": "t"} in listed and {"resource_type": "broker", "resource": "1"} in listed, listed
    assert admin("list_config_resources", resource_type="topic") == [{"resource_type": "topic", "resource": "t"}]


@case("libkq's admin moves the offsets of share groups", always=True)
def share_offsets(setting, broker):
    admin = Admin(setting, broker)
    admin("create_topics", {"topic": "t", "partitions": 2})
    admin.kq("produce", "t", "-p", "0", "-q", feed="x\n" * 10)
    tool = java("org.apache.kafka.tools.consumer.ConsoleShareConsumer", "--bootstrap-server", broker.address, "--topic", "t", "--group",
                "sharers", "--timeout-ms", "4000")
    subprocess.run(tool, capture_output=True, timeout=60)
    described = admin("describe_groups", {"group": "sharers"})[0]
    assert (described["type"], described["state"]) == ("share", "Empty"), described
    rows = admin("alter_share_group_offsets", {"topic": "t", "partition": 0, "offset": 4}, {"topic": "t", "partition": 9, "offset": 0},
                 group="sharers", error="UNKNOWN_TOPIC_OR_PARTITION")
    assert "error" not in rows[0] and "error" in rows[1], rows
    told = admin("list_share_group_offsets", {"group": "sharers"})[0]["offsets"]
    assert [row["offset"] for row in told if row["partition"] == 0] == [4], told
    rows = admin("delete_share_group_offsets", {"topic": "t"}, {"topic": "nothing"}, group="sharers", error="nothing")
    assert "error" not in rows[0], rows
    assert admin("list_share_group_offsets", {"group": "sharers"})[0]["offsets"] == []
    admin("describe_groups", {"group": "nobody"}, error="GROUP_ID_NOT_FOUND")


@case("libkq's admin says clearly what kqd does not have", on=KQD)
def left_out(setting, broker):
    """The operations that no case above tries on kqd.  One that kqd has learnt belongs into the others."""
    admin = Admin(setting, broker)
    rule = {"resource_type": "topic", "resource": "t", "principal": "User:a", "operation": "read"}
    missing = []
    for operation, item in (
        ("describe_acls", {}), ("create_acls", rule), ("delete_acls", {"principal": "User:a"}), ("describe_client_quotas", {}),
        ("alter_client_quotas", {"user": "a", "quota": "producer_byte_rate", "value": "1"}), ("describe_user_scram_credentials", {}),
        ("alter_user_scram_credentials", {"user": "a", "mechanism": "SCRAM-SHA-256", "password": "x"}),
        ("alter_replica_log_dirs", {"broker": 1, "topic": "t", "partition": 0, "path": "/x"}),
        ("alter_partition_reassignments", {"topic": "t", "partition": 0, "replicas": "1"}),
        ("update_features", {"feature": "x", "version": 1}), ("describe_quorum", {}),
    ):
        words = [f"{key}={value}" for key, value in item.items()]
        done = subprocess.run([setting.kq, "-b", broker.address, "admin", operation, *words], capture_output=True, text=True, timeout=60)
        if done.returncode == REFUSED and "the broker does not have the request" in done.stderr:
            missing.append(operation)
        else:
            assert done.returncode in (DONE, REFUSED), f"{operation}: {done.stderr}"
    print(f"# left out for kqd: {' '.join(missing)}", flush=True)
