"""What libkq counts, against what was done."""

import json

from kqpeer.cases import KAFKA, KQD, case
from kqpeer.command import Command

RECORDS, BYTES = 20_000, 100


def bench(kq, *arguments):
    return json.loads(kq("bench", *arguments, "-n", str(RECORDS), "--statistics", "-o", "json"))["statistics"]


def consistent(seen):
    """What is told of a handle as a whole, of its brokers and of its partitions agrees."""
    for column in ("records", "bytes"):
        assert seen[column] == sum(row[column] for row in seen["partitions"]), (column, seen)
    for node in seen["nodes"]:
        assert node["requests"] - node["failures"] - node["in_flight"] == sum(row["count"] for row in node["latency_us"]), node
        assert 0 < node["latency_us_p50"] <= node["latency_us_p95"] <= node["latency_us_p99"] <= node["latency_us_max"], node
        assert node["host"] == "127.0.0.1" and node["port"] > 0, node


@case("libkq's statistics add up", on=(KAFKA, KQD), always=True)
def add_up(setting, broker):
    kq = Command(setting, broker)
    kq("topic", "create", "t", "-p", "3")
    sent = bench(kq, "produce", "t", "-s", str(BYTES), "--warmup", "0")
    consistent(sent)
    assert sent["records"] == RECORDS and sent["failed_records"] == sent["pending_records"] == sent["retries"] == 0, sent
    assert sent["bytes"] > RECORDS * BYTES and sent["buffer_bytes"] == 0, sent
    assert sent["batches"] == sum(row["batches"] for row in sent["partitions"]), sent
    assert sum(node["requests"] for node in sent["nodes"]) <= sent["batches"] + len(sent["nodes"]), sent
    read = bench(kq, "consume", "t")
    consistent(read)
    assert read["records"] == RECORDS and read["lag"] == 0, read
    assert [row["lag"] for row in read["partitions"]] == [0, 0, 0], read
