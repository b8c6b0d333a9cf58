"""A proxy between clients and a broker that cuts connections, by a seed: before a request arrives, and after it did but before its answer."""

import random
import selectors
import socket
import threading
import time

from kqpeer.servers import free_port

CHUNK_BYTES = 64 * 1024
QUIET_SECONDS = 0.05


class Proxy:
    """Listens on a port of its own and carries bytes to `target` while it is entered.  Brokers advertise its address, so that every
    connection of a client goes through it.  `cut` ends the connections that are open, with what is under way on them."""

    def __init__(self, target_port, seed):
        self.target_port, self.port = target_port, free_port()
        self.random = random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.peers = {}                                   # each socket of a pair to the other
        self.mean_seconds = None                          # between two cuts of a connection; None: none is cut
        self.cuts = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for end in [*self.peers, self.listener]:
            end.close()
        self.selector.close()

    def run(self):
        due = None
        while not self.over.is_set():
            for key, _ in self.selector.select(QUIET_SECONDS):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.peers:
                    self.carry(key.fileobj)
            if self.mean_seconds is None:
                due = None
            elif due is None or time.monotonic() >= due:
                if due is not None and self.peers:
                    self.cut(self.random.choice(list(self.peers)))
                    self.cuts += 1
                due = time.monotonic() + self.random.expovariate(1 / self.mean_seconds)

    def accept(self):
        client, _ = self.listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            client.close()
            return
        for end, other in ((client, broker), (broker, client)):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[end] = other
            self.selector.register(end, selectors.EVENT_READ)

    def carry(self, end):
        """What is read is passed on whole: sendall may wait for the reader, which a broker's and a client's both are."""
        try:
            data = end.recv(CHUNK_BYTES)
            if data:
                self.peers[end].sendall(data)
                return
        except OSError:
            pass
        self.cut(end)

    def cut(self, end):
        """One end's bytes have been passed on, the other's may lie unread: the broker has done what was asked, the client never hears."""
        for side in (end, self.peers.get(end)):
            if self.peers.pop(side, None) is not None:
                self.selector.unregister(side)
                side.close()
