#!/usr/bin/env python3
"""with_kafka.py DIRECTORY COMMAND...: runs a command with an Apache Kafka, whose address it finds in KQ_TEST_BOOTSTRAP."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/peer"))
from kqpeer.servers import Kafka  # noqa: E402


def main(directory, *command):
    home = pathlib.Path(directory)
    shutil.rmtree(home, ignore_errors=True)
    (home / "data").mkdir(parents=True)
    kafka = Kafka(None, home, home / "data", {}, None)
    kafka.start()
    try:
        return subprocess.run(command, env={**os.environ, "KQ_TEST_BOOTSTRAP": kafka.address}).returncode
    finally:
        kafka.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
