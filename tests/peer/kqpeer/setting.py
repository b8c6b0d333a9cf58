"""Where a case lives: its directory, and brokers that are gone when it ends."""

from kqpeer.servers import Kafka, Kqd


class Setting:
    def __init__(self, binaries, directory):
        self.binaries, self.directory = binaries, directory
        self.brokers = []
        directory.mkdir(parents=True)

    @property
    def kq(self):
        return str(self.binaries / "cli/kq")

    def broker(self, kind, config=None, data=None, port=None):
        """A broker that is not started yet; with `data` on a directory that is there already."""
        number = len(self.brokers)
        home = self.directory / f"{kind}-{number}"
        home.mkdir()
        make = {"kqd": Kqd, "kafka": Kafka}[kind]
        broker = make(self.binaries, home, data or home / "data", config or {}, port)
        self.brokers.append(broker)
        return broker

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def close(self):
        """Kills what still runs, and returns the brokers that died by themselves."""
        died = [broker for broker in self.brokers if broker.died()]
        for broker in self.brokers:
            broker.kill()
        return died
