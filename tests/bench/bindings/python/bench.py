#!/usr/bin/env python3
"""What a record costs a Python program: libkq beside confluent-kafka and aiokafka, on the same kqd.

  bench.py KQD [--records N] [--runs N] [--sizes 100,1024]

Run it with a Python that has libkq (release build), confluent-kafka and aiokafka; KQD is the broker's program.  Figures are records per
CPU-second of the client's process, its own threads included, the median of the runs.  Never a test: nothing here passes or fails.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "peer"))
from kqpeer.servers import Kqd  # noqa: E402

COMPARED = [
    ("produce, send_many", "kq_send_many", "confluent_produce", 5),
    ("produce, send", "kq_send", "confluent_produce", 2),
    ("consume, batches", "kq_batches", "confluent_consume", 5),
    ("consume, for record", "kq_records", "confluent_poll", 2.5),
    ("consume, asyncio", "kq_async", "aiokafka_async", 10),
]


class Program(Kqd):
    """kqd wherever it lies."""

    def start(self):
        self.launch([str(self.binaries), self.properties()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kqd", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=1_000_000, help="of 100 bytes; fewer of larger ones")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", default="100,1024")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        home = pathlib.Path(work)
        (home / "data").mkdir()
        broker = Program(options.kqd.resolve(), home, home / "data", {"num.partitions": "4"}, None)
        broker.start()
        try:
            for size in map(int, options.sizes.split(",")):
                measure(options, broker.address, size)
        finally:
            broker.stop()


def measure(options, servers, size):
    records = options.records if size <= 100 else max(10_000, options.records // 50_000 * 10_000)
    measured = {}

    def once(client, topic):
        command = [sys.executable, str(HERE / "clients.py"), client, servers, topic, str(records), str(size)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ}).stdout.split()
        return records / float(said[0]), records / float(said[1])

    def rate(client):
        if client not in measured:
            reads = not client.endswith(("produce", "send", "send_many"))
            if reads and "topic" not in measured:
                measured["topic"] = f"read-{size}"
                once("kq_send_many", measured["topic"])
            runs = [once(client, measured["topic"] if reads else f"{client}-{size}-{run}") for run in range(options.runs)]
            measured[client] = [statistics.median(run[i] for run in runs) for i in (0, 1)]
        return measured[client]

    print(f"{size} B, {records:,} records".ljust(26) + "libkq/CPU s   other/CPU s   ratio  wanted     libkq/s     other/s")
    for name, own, other, wanted in COMPARED:
        (own_cpu, own_wall), (other_cpu, other_wall) = rate(own), rate(other)
        print(
            f"  {name:22}{own_cpu:>13,.0f}{other_cpu:>14,.0f}{own_cpu / other_cpu:>8.1f}{wanted:>8}{own_wall:>12,.0f}{other_wall:>12,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
