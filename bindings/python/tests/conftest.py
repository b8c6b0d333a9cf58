"""Each test that takes `servers` runs against an embedded broker and against Apache Kafka 4.2; results are printed as TAP."""

import os
import pathlib
import shutil
import sys
import tempfile
import uuid

import libkq as kq
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/peer"))


class Tap:
    """Writes past pytest's capture, one line a test."""

    def __init__(self):
        self.out = os.fdopen(os.dup(1), "w", buffering=1)
        print(file=self.out)
        self.count = 0

    def pytest_runtest_logreport(self, report):
        skipped = report.skipped and report.when == "setup"
        if report.when != "call" and not report.failed and not skipped:
            return
        self.count += 1
        name = "python: " + report.nodeid.split("::", 1)[-1].replace("test_", "").replace("_", " ").replace("#", "")
        note = " # SKIP " + str(report.longrepr[2]) if skipped else ""
        print(f"\n{'not ok' if report.failed else 'ok'} {self.count} - {name}{note}", file=self.out)
        if report.failed:
            print("".join(f"# {line}\n" for line in str(report.longrepr).splitlines()), end="", file=self.out)

    def pytest_sessionfinish(self):
        print(f"\n1..{self.count}", file=self.out)


def pytest_configure(config):
    if os.environ.get("KQ_TAP"):
        config.pluginmanager.register(Tap())


@pytest.fixture(scope="session")
def broker():
    with kq.Broker(config={"group.initial.rebalance.delay.ms": 0, "offsets.topic.num.partitions": 2}) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka():
    from kqpeer.setting import Setting

    if not shutil.which("java"):
        pytest.skip("no java here")
    with tempfile.TemporaryDirectory() as home:
        setting = Setting(None, pathlib.Path(home) / "kafka")
        server = setting.broker("kafka")
        server.start()
        yield server.address
        setting.close()


@pytest.fixture(params=["kqd", "kafka"])
def servers(request):
    return request.getfixturevalue("broker").address if request.param == "kqd" else request.getfixturevalue("kafka")


@pytest.fixture
def name():
    """A topic, group or transactional id of this test's own."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic(servers, name):
    with kq.Admin(servers) as admin:
        admin.create_topics(name, partitions=2)
    return name
