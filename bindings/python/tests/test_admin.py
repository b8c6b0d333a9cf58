import time

import libkq as kq
import pytest


def soon(holds):
    """Kafka's brokers learn of changes a little later than its controller answers."""
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holds()


def test_topics_are_made_described_and_deleted(servers, name):
    with kq.Admin(servers) as admin:
        [row] = admin.create_topics(name, partitions=3, config={"retention.ms": 60_000, "preallocate": False})
        assert (row.topic, row.partitions) == (name, 3)
        with pytest.raises(kq.RefusedError) as raised:
            admin.create_topics(name)
        assert (raised.value.name, raised.value.code) == ("TOPIC_ALREADY_EXISTS", 36)
        rows = admin.create_topics({"topic": name}, {"topic": name + "-b", "partitions": 2}, check=False)
        assert [row.error and row.error.name for row in rows] == ["TOPIC_ALREADY_EXISTS", None]
        soon(lambda: admin.describe_topics(name, check=False)[0].error is None)
        [described] = admin.describe_topics(name)
        assert [partition.partition for partition in described.partitions] == [0, 1, 2]
        [configs] = admin.describe_configs(resource_type="topic", resource=name)
        assert {each.config: each.value for each in configs.configs}["retention.ms"] == "60000"
        soon(lambda: {row.topic for row in admin.list_topics()} >= {name, name + "-b"})
        admin.create_partitions(name, partitions=5)
        soon(lambda: len(admin.describe_topics(name)[0].partitions) == 5)
        admin.delete_topics(name, name + "-b")
        soon(lambda: name not in {row.topic for row in admin.list_topics()})


def test_the_cluster_and_groups_are_described(servers, topic, name):
    with kq.Admin(servers) as admin:
        [cluster] = admin.describe_cluster()
        assert len(cluster.nodes) == 1 and cluster.nodes[0].port > 0
        with kq.Consumer(servers, topic, group=name, start="earliest") as consumer:
            consumer.poll(10)
            [group] = admin.describe_groups(name)
            assert (group.group, len(group.members)) == (name, 1)
            consumer.commit([(topic, 0, 0)])
        assert name in {row.group for row in admin.list_groups()}
        admin.alter_group_offsets((topic, 1, 7), group=name)
        [offsets] = admin.list_group_offsets(name)
        assert {each.partition: each.offset for each in offsets.offsets}[1] == 7
        admin.delete_groups(name)


def test_every_operation_is_a_method_with_its_manual():
    for operation in kq.operations():
        method = getattr(kq.Admin, operation)
        assert method.__name__ == operation and "Columns" in method.__doc__


def test_wrong_parameters_are_refused_by_name(broker):
    with kq.Admin(broker) as admin:
        with pytest.raises(TypeError, match="it takes"):
            admin.create_topics("x", partitons=3)
        with pytest.raises(TypeError):
            admin.create_topics({"topic": "x", "colour": 1})
        with pytest.raises((TypeError, kq.RefusedError)):
            admin.create_topics("x", partitions="three")
        with pytest.raises(TypeError):
            admin.describe_cluster("what")
        with pytest.raises(kq.RefusedError):
            admin.run("no_such_operation")


def test_access_rules(broker, name):
    """One of their parameters is named as the operation itself is."""
    with kq.Admin(broker) as admin:
        rule = {"resource_type": "topic", "resource": name, "principal": "User:u", "operation": "read"}
        try:
            admin.create_acls(rule)
        except kq.RefusedError as error:
            assert error.name in ("SECURITY_DISABLED", "UNSUPPORTED")
            return
        [row] = admin.describe_acls(resource_type="topic", resource=name, operation="read")
        assert (row.principal, row.operation) == ("User:u", "read")
