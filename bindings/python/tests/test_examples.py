import pathlib
import subprocess
import sys

import libkq as kq

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"


def run(program, *arguments):
    subprocess.run([sys.executable, str(EXAMPLES / program), *map(str, arguments)], check=True, timeout=60)


def create(servers, *topics):
    with kq.Admin(servers) as admin:
        admin.create_topics(*topics, partitions=2)


def read(servers, topic):
    with kq.Consumer(servers, topic, isolation_level="read_committed") as consumer:
        return list(consumer.records(1))


def test_word_count(servers, name):
    create(servers, name, name + "-counts")
    kq.Producer(servers).send_many(name, [b"to be or not", b"to be"]).wait(20)
    run("word_count.py", servers, name, name + "-counts", 2)
    assert {record.key: record.value for record in read(servers, name + "-counts")} == {b"to": b"2", b"be": b"2", b"or": b"1", b"not": b"1"}


def test_retry_and_dead_letter(servers, name):
    create(servers, name, name + "-retry", name + "-dead")
    kq.Producer(servers).send_many(name, [b"good 1", b"bad 1", b"good 2"]).wait(20)
    run("retry_dead_letter.py", servers, name, 3)
    [dead] = read(servers, name + "-dead")
    assert dead.value == b"bad 1" and dict(dead.headers)["tries"] == b"3"
    assert len(read(servers, name + "-retry")) == 2


def test_exactly_once(servers, name):
    create(servers, name, name + "-out")
    kq.Producer(servers).send_many(name, [(b"k%d" % i, b"v%d" % i) for i in range(100)]).wait(20)
    run("exactly_once.py", servers, name, name + "-out", 100)
    kq.Producer(servers).send_many(name, [(b"k%d" % i, b"v%d" % i) for i in range(100, 120)]).wait(20)
    run("exactly_once.py", servers, name, name + "-out", 20)
    assert sorted(record.value for record in read(servers, name + "-out")) == sorted(b"V%d" % i for i in range(120))
