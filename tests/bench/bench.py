#!/usr/bin/env python3
"""Runs the clients and brokers of tests/bench/run.sh and prints the table.

Each client's own work is measured by the client (processor time of its process between the end of a warm-up and the last
delivery, or record); the broker's from /proc around the client's run, over all records that it got, warm-up too.  Apache
Kafka is warmed with records first, page cache is recycled before each run, and every figure is the median of the runs.
"""

import argparse
import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/peer"))
from kqpeer import downloads, wire  # noqa: E402
from kqpeer.servers import SERVER_JVM  # noqa: E402

LINGER_MS, BUFFER_BYTES, IN_FLIGHT = 5, 64 << 20, 5
KAFKA_WARM_RECORDS = 20_000_000
WARMUP = 100_000
LATENCY_RECORDS, LATENCY_WARMUP = 5_000, 1_000
TICK = os.sysconf("SC_CLK_TCK")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("words", nargs="*")
    return parser.parse_args()


def processor_seconds(pid):
    """User and system time of a process so far, threads that ended too."""
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Clients:
    """The command lines of each client for the same work."""

    def __init__(self, options):
        self.bin, self.options = options.bin, options

    def kq(self, work, broker, topic, acks):
        settings = [
            f"linger.ms={LINGER_MS}",
            f"batch.size={self.options.batch}",
            f"buffer.memory={BUFFER_BYTES}",
            f"max.in.flight.requests.per.connection={IN_FLIGHT}",
            f"acks={acks}",
            f"enable.idempotence={'true' if acks == 'all' else 'false'}",
        ]
        common = [
            str(self.bin / "cli/kq"),
            "bench",
            work,
            topic,
            "-b",
            broker.address,
            "-n",
            str(self.options.records),
            "-o",
            "json",
            "-q",
        ]
        if work == "consume":
            return common
        return [
            *common,
            "-s",
            str(self.options.size),
            "--warmup",
            str(WARMUP),
            "-p",
            "0",
            *(part for item in settings for part in ("-X", item)),
        ]

    def librdkafka(self, work, broker, topic, acks):
        settings = [
            f"linger.ms={LINGER_MS}",
            f"batch.size={self.options.batch}",
            "batch.num.messages=1000000",
            f"max.in.flight={IN_FLIGHT}",
            "queue.buffering.max.messages=1000000",
            f"queue.buffering.max.kbytes={BUFFER_BYTES >> 10}",
            f"acks={acks}",
            f"enable.idempotence={'true' if acks == 'all' else 'false'}",
            "log_level=3",
        ]
        if work == "consume":
            settings = ["check.crcs=true", "log_level=3"]
        return [
            str(self.bin / "tests/bench/rdkafka_bench"),
            work,
            broker.address,
            topic,
            str(self.options.records),
            str(self.options.size),
            str(WARMUP),
            *settings,
        ]

    def franz(self, work, broker, topic, acks):
        return [
            str(self.bin / "tests/bench/franz_bench"),
            work,
            broker.address,
            topic,
            str(self.options.records),
            str(self.options.size),
            str(WARMUP),
            acks,
            str(LINGER_MS),
            str(self.options.batch),
            str(BUFFER_BYTES),
        ]

    def all(self):
        return {"kq": self.kq, "librdkafka": self.librdkafka, "franz-go": self.franz}


def recycle(directory, size):
    """Pages that the machine has not touched yet are dear at first: write as much as the run will, and give it back."""
    path = directory / "recycle"
    with open(path, "wb", buffering=0) as file:
        block = bytes(1 << 20)
        for _ in range(size >> 20):
            file.write(block)
    path.unlink()


def create_topic(broker, topic):
    from kqpeer.main_job import create_topic as create

    create(broker, topic)


def delete_topic(broker, topic):
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 3})
    admin.delete_topics([topic])[topic].result(30)


def measured(command, broker):
    before = processor_seconds(broker.process.pid)
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=600, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result.get("failed", 0) == 0, f"{command[0]}: {result}"
    client = (result["cpu_user_seconds"] + result["cpu_system_seconds"]) / result["records"] * 1e6
    return result, client, processor_seconds(broker.process.pid) - before


class Table:
    def __init__(self):
        self.rows = []
        print(f"{'broker':8} {'client':12} {'work':18} {'client CPU':>11} {'broker CPU':>11} {'records/s':>12}")
        print(f"{'':8} {'':12} {'':18} {'s / million':>11} {'s / million':>11}")

    def add(self, broker, client, work, client_cpu, broker_cpu, rate):
        self.rows.append((broker, client, work, client_cpu, broker_cpu))
        print(f"{broker:8} {client:12} {work:18} {client_cpu:11.3f} {broker_cpu:11.3f} {rate:12,.0f}", flush=True)

    def add_latency(self, broker, client, p50, p99):
        print(f"{broker:8} {client:12} {'latency acks=all':18} p50 {p50:7.0f} us   p99 {p99:7.0f} us", flush=True)

    def figure(self, column, broker, client, work):
        return next((row[column] for row in self.rows if row[:3] == (broker, client, work)), None)

    def compare(self):
        print("\nside by side (a ratio below 1 is kq's gain)")
        works = dict.fromkeys(row[2] for row in self.rows)
        for work, broker, client in itertools.product(works, ("kqd", "kafka"), ("librdkafka", "franz-go")):
            ours, theirs = self.figure(3, broker, "kq", work), self.figure(3, broker, client, work)
            if ours and theirs:
                print(f"{work:18} client kq / {client:12} on {broker:6} {ours / theirs:6.2f}")
        for work, client in itertools.product(works, ("kq", "librdkafka", "franz-go")):
            ours, theirs = self.figure(4, "kqd", client, work), self.figure(4, "kafka", client, work)
            if ours and theirs:
                print(f"{work:18} broker kqd / kafka with {client:12}  {ours / theirs:6.2f}")


def wanted(options, *names):
    """Is this row asked for?  A word of each kind that was given must be in it."""
    kinds = [{"kqd", "kafka"}, {"kq", "librdkafka", "franz-go"}, {"produce", "consume", "latency"}, {"acks=1", "acks=all"}]
    chosen = set(options.words)
    return all(not (chosen & kind) or not (set(names) & kind) or (set(names) & kind & chosen) for kind in kinds)


def bench_produce(options, broker, kind, table, acks):
    for name, client in Clients(options).all().items():
        work = f"produce acks={acks}"
        if not wanted(options, kind, name, "produce", f"acks={acks}"):
            continue
        figures = []
        for run in range(options.runs):
            topic = f"{name}-{acks}-{run}"
            recycle(broker.home, options.records * (options.size + 20))
            create_topic(broker, topic)
            result, client_cpu, broker_cpu = measured(client("produce", broker, topic, acks), broker)
            figures.append((client_cpu, broker_cpu / (options.records + WARMUP) * 1e6, result["records"] / result["seconds"]))
            delete_topic(broker, topic)
        table.add(kind, name, work, *(statistics.median(column) for column in zip(*figures)))


def bench_consume(options, broker, kind, table):
    if not wanted(options, kind, "consume"):
        return
    recycle(broker.home, options.records * (options.size + 20))
    create_topic(broker, "consumed")
    fill = Clients(options).kq if (options.bin / "cli/kq").exists() else Clients(options).librdkafka
    subprocess.run(fill("produce", broker, "consumed", "all"), stdout=subprocess.DEVNULL, check=True)
    sums = set()
    for name, client in Clients(options).all().items():
        if not wanted(options, kind, name, "consume"):
            continue
        figures = []
        for _ in range(options.runs):
            result, client_cpu, broker_cpu = measured(client("consume", broker, "consumed", "all"), broker)
            sums.add(result["sum"])
            figures.append((client_cpu, broker_cpu / options.records * 1e6, result["records"] / result["seconds"]))
        table.add(kind, name, "consume", *(statistics.median(column) for column in zip(*figures)))
    assert len(sums) <= 1, f"the clients read different bytes: {sums}"


def bench_latency(options, broker, kind, table):
    """One record at a time, linger 0, acks=all, to a consumer in the same process that waits for it."""
    if not wanted(options, kind, "latency"):
        return
    create_topic(broker, "pings")
    size, count, warm_up = str(options.size), str(LATENCY_RECORDS), str(LATENCY_WARMUP)
    commands = {
        "kq": [str(options.bin / "cli/kq"), "bench", "latency", "pings", "-b", broker.address, "-n", count, "-s", size, "--warmup", warm_up,
               "-o", "json"],
        "librdkafka": [str(options.bin / "tests/bench/rdkafka_bench"), "latency", broker.address, "pings", count, size, warm_up, "linger.ms=0",
                       "acks=all", "enable.idempotence=true", "log_level=3"],
        "franz-go": [str(options.bin / "tests/bench/franz_bench"), "latency", broker.address, "pings", count, size, warm_up, "all", "0",
                     "16384", "1000000"],
    }
    for name, command in commands.items():
        if not wanted(options, kind, name, "latency"):
            continue
        runs = [json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=600, check=True).stdout.splitlines()[-1])
                for _ in range(options.runs)]
        table.add_latency(kind, name, *(statistics.median(run[column] for run in runs) for column in ("p50_us", "p99_us")))


def bench_broker(options, work, kind, table):
    from kqpeer.setting import Setting

    setting = Setting(options.bin, work / kind)
    broker = setting.broker(kind, {"log.segment.delete.delay.ms": "100"})
    broker.jvm = SERVER_JVM
    try:
        broker.start()
        if kind == "kafka":
            warm(options, broker)
        for acks in ("1", "all"):
            bench_produce(options, broker, kind, table, acks)
        bench_consume(options, broker, kind, table)
        bench_latency(options, broker, kind, table)
    finally:
        setting.close()


def warm(options, broker):
    """The JVM compiles what it meets often; give it that first, produced and fetched."""
    print(f"# warming Apache Kafka with {KAFKA_WARM_RECORDS:,} records", file=sys.stderr)
    warm_options = argparse.Namespace(**{**vars(options), "records": KAFKA_WARM_RECORDS // 4})
    clients = Clients(warm_options)
    for acks, consume in itertools.product(("1", "all"), range(2)):
        topic = f"warm-{acks}-{consume}"
        create_topic(broker, topic)
        subprocess.run(clients.librdkafka("produce", broker, topic, acks), stdout=subprocess.DEVNULL, check=True)
        subprocess.run(clients.librdkafka("consume", broker, topic, acks), stdout=subprocess.DEVNULL, check=True)
        delete_topic(broker, topic)


def bench_floor(options):
    print("\nfloor: encode or parse, check sum, and the socket; no client, no broker (s / million)")
    for batch in (16384, options.batch):
        done = subprocess.run(
            [str(options.bin / "tests/bench/floor_bench"), str(options.records), str(options.size), str(batch)],
            stdout=subprocess.PIPE,
            check=True,
        )
        results = [json.loads(line) for line in done.stdout.splitlines()]
        cost = {
            ("send" if result["sum"].strip("0") == "" else "receive"): (result["cpu_user_seconds"] + result["cpu_system_seconds"])
            / result["records"]
            * 1e6
            for result in results
        }
        print(f"batches of {batch:>9,} bytes   send {cost['send']:.3f}   receive {cost['receive']:.3f}")


def bench_start(options, work):
    """kqd from exec to the first answered Metadata request on an empty directory, memory and processor time at rest, size."""
    from kqpeer.setting import Setting

    kqd = options.bin / "broker/kqd"
    if not kqd.exists():
        return
    times = []
    for run in range(11):
        setting = Setting(options.bin, work / f"start-{run}")
        broker = setting.broker("kqd")
        command = [str(kqd), broker.properties()]
        start = time.monotonic()
        broker.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=broker.home)
        while not wire.answers(broker.port):
            time.sleep(0.0002)
        times.append((time.monotonic() - start) * 1000)
        if run == 10:
            time.sleep(1)
            before = processor_seconds(broker.process.pid)
            time.sleep(5)
            idle = processor_seconds(broker.process.pid) - before
            resident = broker.resident_kib()
        setting.close()
    stripped = work / "kqd-stripped"
    subprocess.run(["strip", "-o", str(stripped), str(kqd)], check=True)
    print(
        f"\nkqd: exec to first Metadata answer {statistics.median(times):.1f} ms (least {min(times):.1f}); "
        f"at rest {resident / 1024:.1f} MiB resident, {idle * 1000:.0f} ms of processor in 5 s; stripped binary {stripped.stat().st_size / 1e6:.1f} MB"
    )


def main():
    options = arguments()
    options.bin = options.bin.resolve()
    work = options.work or options.bin / "bench-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    print(
        f"records of {options.size} bytes, {options.records:,} a run, median of {options.runs}; one partition; linger {LINGER_MS} ms, "
        f"batches up to {options.batch:,} bytes, buffer {BUFFER_BYTES >> 20} MiB, {IN_FLIGHT} requests in flight, no codec, CRC checked; "
        "idempotent with acks=all"
    )
    only = set(options.words) & {"floor", "start"}
    if not only:
        table = Table()
        for kind in ("kafka", "kqd"):
            if wanted(options, kind) and (kind == "kafka" or (options.bin / "broker/kqd").exists()):
                bench_broker(options, work, kind, table)
        table.compare()
    if not only or "floor" in only:
        bench_floor(options)
    if not only or "start" in only:
        bench_start(options, work)
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    downloads.run_in_venv(__file__)
    main()
