"""kqd and Apache Kafka as processes: started on a directory and a free port of 127.0.0.1, stopped, killed."""

import os
import random
import signal
import socket
import subprocess
import time

from kqpeer import downloads, wire
from kqpeer.downloads import HERE

START_SECONDS = 60
STOP_SECONDS = 60
# For tools and brokers that live for seconds, and for a broker that is measured (as Kafka's own start script has it).
SHORT_LIVED_JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"]
SERVER_JVM = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Xms1g",
    "-Xmx1g",
]


def free_port():
    """Below the range that the kernel takes for connections; by chance, since cases run side by side."""
    while True:
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", random.SystemRandom().randrange(10_000, 32_000)))
                return listener.getsockname()[1]
            except OSError:
                continue


def java(main, *arguments, jvm=SHORT_LIVED_JVM):
    return [
        "java",
        *jvm,
        f"-Dlog4j2.configurationFile={HERE}/kafka/log4j2.properties",
        "-cp",
        f"{downloads.kafka_jars()}/*",
        main,
        *arguments,
    ]


class Server:
    """A broker process.  `config` holds keys of Kafka's server.properties: both read the same file."""

    def __init__(self, binaries, home, data, config, port):
        self.binaries, self.home, self.data = binaries, home, data
        self.port = port or free_port()
        self.controller_port = free_port()
        self.config = config
        self.process = None
        self.expected_down = True

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.home / "log"

    def properties(self):
        lines = {
            "node.id": "1",
            "process.roles": "broker,controller",
            "log.dirs": str(self.data),
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "offsets.topic.num.partitions": "2",
            "transaction.state.log.num.partitions": "2",
            "group.initial.rebalance.delay.ms": "0",
            **self.config,
        }
        path = self.home / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in lines.items() if value is not None))
        return str(path)

    def launch(self, command):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home, start_new_session=True
            )
        self.expected_down = False
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with status {self.process.returncode}:\n{self.tail()}")
            if wire.answers(self.port):
                return
            time.sleep(0.02)
        raise RuntimeError(f"no answer on {self.address} after {START_SECONDS} s:\n{self.tail()}")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def died(self):
        return self.process is not None and not self.expected_down and not self.running()

    def epitaph(self):
        return f"{type(self).__name__} died by itself, status {self.process.returncode}:\n{self.tail()}"

    def tail(self, lines=30):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        """SIGTERM, and a clean end."""
        self.expected_down = True
        self.process.terminate()
        status = self.process.wait(STOP_SECONDS)
        if status not in self.clean_statuses:
            raise RuntimeError(f"{type(self).__name__} stopped with status {status}:\n{self.tail()}")

    def kill(self):
        self.expected_down = True
        if self.running():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Kqd(Server):
    clean_statuses = (0,)

    def start(self):
        self.launch([str(self.binaries / "broker/kqd"), self.properties()])


class Kafka(Server):
    clean_statuses = (0, 143)
    jvm = SHORT_LIVED_JVM
    release = None  # formats as that release did, for a quorum whose voters stand in the properties

    def start(self):
        properties = self.properties()
        if not (self.data / "meta.properties").exists():
            self.format(properties)
        self.launch(java("kafka.Kafka", properties, jvm=self.jvm))

    def format(self, properties, cluster="vP1hVnhKQb2LZ8DzyOZaHw"):
        kind = ["--release-version", self.release] if self.release else ["--standalone"]
        with open(self.log, "ab") as log:
            subprocess.run(
                java("kafka.tools.StorageTool", "format", *kind, "-t", cluster, "-c", properties),
                check=True,
                stdout=log,
                stderr=log,
                cwd=self.home,
                env={**os.environ},
            )
