#!/usr/bin/env python3
"""What a record costs a Java program: kq-client beside kafka-clients, the same program (Bench.java) on the same kqd.

  bench.py BUILD [--records N] [--runs N] [--sizes 100,1024]

BUILD is a release build of meson.  Figures are processor seconds of the client for a million records, the JVM's compiler and collector
included and the warm-up left out, the median of the runs.  Never a test: nothing here passes or fails.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
sys.path.insert(0, str(ROOT / "tests/peer"))
from kqpeer import downloads  # noqa: E402
from kqpeer.servers import Kqd  # noqa: E402

JVM = ["java", "-Xms512m", "-Xmx512m", "-XX:+UseG1GC", f"-Dlog4j2.configurationFile={ROOT}/tests/peer/kafka/log4j2.properties"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=4_000_000, help="of 100 bytes; fewer of larger ones")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", default="100,1024")
    return parser.parse_args()


def compiled(build, work):
    """The class path of the program."""
    maven = ["mvn", "-q", "-B", "-f", str(ROOT / "bindings/java/pom.xml"), f"-Dkq.build={build}", f"-Dkq.target={work}/target", "compile"]
    subprocess.run(maven, check=True, stdout=sys.stderr)
    path = f"{work}/target/classes:{downloads.kafka_jars()}/*"
    subprocess.run(["javac", "-cp", path, "-d", work / "bench", HERE / "Bench.java"], check=True)
    return f"{path}:{work}/bench"


def measure(options, work, path, size):
    home = work / f"kqd-{size}"
    (home / "data").mkdir(parents=True)
    broker = Kqd(options.build, home, home / "data", {"message.max.bytes": "8388608"}, None)
    broker.start()
    records = options.records if size <= 100 else options.records * 100 // size * 2

    def once(client, work_of, topic):
        command = [*JVM, "-cp", path, "Bench", client, work_of, broker.address, topic, str(records), str(records), str(size)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=work).stdout.split()
        return float(said[-2]), float(said[-1])

    def row(name, kq_way, kafka_way, topic):
        runs = [(once("kq", kq_way, topic("kq", run)), once("kafka", kafka_way, topic("kafka", run))) for run in range(options.runs)]
        kq, kafka = (statistics.median(run[side][0] for run in runs) for side in (0, 1))
        rates = [statistics.median(run[side][1] for run in runs) for side in (0, 1)]
        print(f"{name + f' {size} B':26}{kq:10.3f}{kafka:16.3f}{kafka / kq:8.2f}    {rates[0]:>12,.0f}{rates[1]:>12,.0f}", flush=True)

    try:
        row("produce", "produce", "produce", lambda client, run: f"{client}-{run}")
        row("consume by poll", "consume", "consume", lambda client, run: "kafka-0")
        row("consume by pollBatch", "batches", "consume", lambda client, run: "kafka-0")
    finally:
        broker.kill()


def main():
    options = arguments()
    options.build = options.build.resolve()
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        path = compiled(options.build, work)
        print(f"{'s per million records':26}{'kq':>10}{'kafka-clients':>16}{'ratio':>8}    {'records/s':>12}", flush=True)
        for size in options.sizes.split(","):
            measure(options, work, path, int(size))


if __name__ == "__main__":
    main()
