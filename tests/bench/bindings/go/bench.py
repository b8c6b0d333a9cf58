#!/usr/bin/env python3
"""kq's Go binding beside franz-go, in one run against the same kqd: processor time of the client for a million records.

  bench.py BUILD [--records N] [--runs N] [--sizes 100,1024] [--batch BYTES]

BUILD is a release build of meson.  franz-go runs as its users mostly have it, and with records used again (pools); the better of
the two is what kq is compared with.  Never a test: nothing here passes or fails.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
sys.path[:0] = [str(ROOT / "tests/peer"), str(ROOT / "tests/bench")]
from bench import LINGER_MS, WARMUP, create_topic, delete_topic, recycle  # noqa: E402
from kqpeer import downloads  # noqa: E402
from kqpeer.setting import Setting  # noqa: E402

BUFFER_BYTES = 64 << 20
KQ = {"produce": ["send", "sendfunc"], "consume": ["records", "batches", "records-zerocopy", "batches-zerocopy"]}
FRANZ = {"produce": ["produce", "produce-pooled"], "consume": ["consume", "consume-pooled"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", default="100,1024")
    parser.add_argument("--batch", type=int, default=1_000_000)
    return parser.parse_args()


def build(options, work):
    """The two programs, and the environment that they run in."""
    go = downloads.go(ROOT / "tests/peer/franz/go.mod")
    env = {
        **os.environ,
        "GOFLAGS": "-mod=mod -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_CFLAGS": f"-O2 -I{ROOT}/include",
        "PKG_CONFIG_PATH": f"{options.build}/meson-uninstalled",
        "LD_LIBRARY_PATH": f"{options.build}/libkq",
    }
    for folder, name in ((HERE, "go_bench"), (ROOT / "tests/bench/franz", "franz_bench")):
        subprocess.run([go, "build", "-o", str(work / name), "."], check=True, cwd=folder, env=env)
    return env


def measured(program, kind, broker, topic, options, size, env):
    command = [program, kind, broker.address, topic, options.records, size, WARMUP, "all", LINGER_MS, options.batch, BUFFER_BYTES]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, timeout=600, check=True, env=env)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failed"] == 0, result
    cpu = (result["cpu_user_seconds"] + result["cpu_system_seconds"]) / result["records"] * 1e6
    return cpu, result["records"] / result["seconds"], result["sum"]


def bench_size(options, work, broker, size, env):
    programs = [(str(work / "franz_bench"), "franz-go", FRANZ), (str(work / "go_bench"), "kq", KQ)]
    for what in ("produce", "consume"):
        figures, sums = {}, set()
        topic = f"consumed-{size}"
        if what == "consume":
            create_topic(broker, topic)
            measured(programs[1][0], "send", broker, topic, options, size, env)
        for run in range(options.runs):
            for program, name, kinds in programs:
                for kind in kinds[what]:
                    if what == "produce":
                        topic = f"{name}-{kind}-{size}-{run}"
                        recycle(broker.home, options.records * (size + 20))
                        create_topic(broker, topic)
                    cpu, rate, total = measured(program, kind, broker, topic, options, size, env)
                    figures.setdefault((name, kind), []).append((cpu, rate))
                    sums.add(total)
                    if what == "produce":
                        delete_topic(broker, topic)
        assert len(sums) == 1 or what == "produce", f"the clients read different bytes: {sums}"
        show(what, size, {key: [statistics.median(column) for column in zip(*values)] for key, values in figures.items()})
        if what == "consume":
            delete_topic(broker, topic)


def show(what, size, figures):
    theirs = min(cpu for (name, _), (cpu, _) in figures.items() if name == "franz-go")
    for (name, kind), (cpu, rate) in figures.items():
        times = f"{theirs / cpu:7.2f}" if name == "kq" else ""
        print(f"{what:8} {size:6} B  {name:9} {kind:18} {cpu:9.3f} {rate:13,.0f} {times}", flush=True)


def main():
    options = arguments()
    options.build = options.build.resolve()
    work = options.build / "bench-go"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    env = build(options, work)
    print(f"{options.records:,} records a run, median of {options.runs}; one partition, acks=all, idempotent, linger {LINGER_MS} ms, batches to {options.batch:,} bytes")
    print(f"{'':8} {'':8}  {'':9} {'':18} {'CPU s/mio':>9} {'records/s':>13} times franz-go")
    setting = Setting(options.build, work / "kqd")
    broker = setting.broker("kqd", {"log.segment.delete.delay.ms": "100"})
    try:
        broker.start()
        for size in map(int, options.sizes.split(",")):
            bench_size(options, work, broker, size, env)
    finally:
        setting.close()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    downloads.run_in_venv(__file__)
    main()
