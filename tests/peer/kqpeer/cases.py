"""The cases, in the order of their writing.

    @case("kcat reads what confluent-kafka wrote", on=BOTH)
    def kcat_reads(setting, broker): ...

A case gets the setting (directories, brokers that go away by themselves) and a started broker, or none with `broker=False`.
on=BOTH makes two of it: Apache Kafka's expectation is seen first, then kqd has to meet it.  `always` runs a case against
Apache Kafka in every run, not only when asked for: those that are about kq's own client.  `full` names the brokers on which a
case is long, and runs in the full tier or when it is asked for by name.
"""

KQD, KAFKA = "kqd", "kafka"
BOTH = (KAFKA, KQD)
ALL = []


class Case:
    def __init__(self, name, broker, always, full, start, config, body):
        self.name, self.broker, self.always, self.full = name, broker, always, full
        self.start, self.config, self.body = start, config, body

    def run(self, setting):
        if not self.start:
            self.body(setting, self.broker)
            return
        broker = setting.broker(self.broker, dict(self.config))
        broker.start()
        self.body(setting, broker)
        if broker.running():
            broker.stop()


def case(name, on=BOTH, always=False, full=(), start=True, config=()):
    def register(body):
        for broker in (on if isinstance(on, tuple) else (on,)):
            ALL.append(Case(f"{broker}: {name}", broker, always, broker in full, start, config, body))
        return body

    return register
