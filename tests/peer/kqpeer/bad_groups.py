"""What no honest member says: unknown members, stale epochs, absurd time-outs, assignments of megabytes, ids of any bytes, a flood
of groups.  The offender is told Kafka's own error; the witness beside it, and other groups, notice nothing; memory stays
bounded."""

import os
import struct
import time

from kqpeer import group_wire as groups
from kqpeer.bad_input import attack
from kqpeer.wire import Connection

NONE, UNKNOWN_SERVER_ERROR, OFFSET_METADATA_TOO_LARGE, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL = 0, -1, 12, 22, 23
INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, INVALID_SESSION_TIMEOUT, INVALID_REQUEST, MEMBER_ID_REQUIRED = 24, 25, 26, 42, 79
UNSUPPORTED_VERSION, GROUP_ID_NOT_FOUND, FENCED_MEMBER_EPOCH, UNSUPPORTED_ASSIGNOR = 35, 69, 110, 112
PASSING = {14, 15, 16}  # the coordinator loads, or is not there yet
FLOOD = 100_000 if os.environ.get("KQ_TEST_TIER") == "full" else 5_000
MEGABYTES = b"x" * (3 << 20)
NO_TOPICS = struct.pack(">hi", 0, 0)  # how a member's metadata begins; its own data follow


class Client:
    """Asks, and reads the code of the answer."""

    def __init__(self, broker):
        self.connection = Connection(broker.port, seconds=60)
        self.settle()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.socket.close()

    def ask(self, request):
        return self.connection.send(request).answer()

    def settle(self):
        deadline = time.monotonic() + 60
        while struct.unpack_from(">h", self.ask(groups.find_coordinator("any")), 8)[0] in PASSING and time.monotonic() < deadline:
            time.sleep(0.1)
        while self.commit("settled")[0] in PASSING and time.monotonic() < deadline:
            time.sleep(0.1)

    def commit(self, group, offsets=None, **member):
        return groups.commit_codes(self.ask(groups.offset_commit(group, "target", offsets or {0: 1}, **member)))

    def join(self, group, **fields):
        """Joins as far as its code says; the member's id as well."""
        code, generation, _, member, _ = groups.join_answer(self.ask(groups.join_group(group, **fields)))
        return code, generation, member

    def enter(self, group, **fields):
        code, _, member = self.join(group, **fields)
        assert code == MEMBER_ID_REQUIRED, code
        code, generation, member = self.join(group, member_id=member, **fields)
        assert code == NONE, code
        return generation, member

    def code(self, request):
        return groups.code_after_throttle(self.ask(request))

    def beat(self, group, member, **fields):
        return groups.consumer_heartbeat_answer(self.ask(groups.consumer_heartbeat(group, member, **fields)))


def expect(what, wanted):
    assert what == wanted, f"{what}, not {wanted}"


@attack("tells classic members that it does not know so, and those of another generation")
def unknown_members(setting, broker):
    with Client(broker) as client:
        expect(client.code(groups.heartbeat("nobody", 1, "m")), UNKNOWN_MEMBER_ID)
        expect(client.code(groups.sync_group("nobody", 1, "m")), UNKNOWN_MEMBER_ID)
        expect(client.join("nobody", member_id="m")[0], UNKNOWN_MEMBER_ID)
        expect(client.commit("nobody", generation=5, member_id="m"), [ILLEGAL_GENERATION])
        generation, member = client.enter("classic")
        expect(client.code(groups.sync_group("classic", generation, member, [(member, b"")])), NONE)
        expect(client.code(groups.heartbeat("classic", generation, "m")), UNKNOWN_MEMBER_ID)
        for stale in (generation - 1, generation + 1, -1, 2147483647):
            expect(client.code(groups.heartbeat("classic", stale, member)), ILLEGAL_GENERATION)
        expect(client.commit("classic", generation=generation + 1, member_id=member), [ILLEGAL_GENERATION])
        expect(client.commit("classic", generation=generation, member_id="m"), [UNKNOWN_MEMBER_ID])
        expect(client.commit("classic"), [UNKNOWN_MEMBER_ID])
        expect(client.join("classic", member_id=member, protocol="another")[0], INCONSISTENT_GROUP_PROTOCOL)


@attack("fences members of the consumer protocol by their epochs")
def stale_epochs(setting, broker):
    with Client(broker) as client:
        expect(client.beat("nobody", "m", epoch=3)[0], GROUP_ID_NOT_FOUND)
        code, epoch = client.beat("new", "member", topics=["target"])
        expect((code, epoch > 0), (NONE, True))
        expect(client.beat("new", "another", epoch=epoch)[0], UNKNOWN_MEMBER_ID)
        for stale in (epoch + 1, 2147483647):
            expect(client.beat("new", "member", epoch=stale, owned=None)[0], FENCED_MEMBER_EPOCH)
        expect(client.beat("new", "member", epoch=-3)[0], INVALID_REQUEST)
        expect(client.beat("new", "member", epoch=-2)[0], INVALID_REQUEST)
        # Of a version that does not know of epochs.
        for generation, member in ((epoch + 1, "member"), (epoch, "member")):
            expect(client.commit("new", generation=generation, member_id=member), [UNSUPPORTED_VERSION])
        expect(client.commit("new", generation=epoch, member_id="another"), [UNKNOWN_MEMBER_ID])


@attack("refuses absurd time-outs, and what is missing")
def absurd_fields(setting, broker):
    with Client(broker) as client:
        for session_ms in (-1, 0, 1, 5_999, 1_800_001, 2147483647):
            expect(client.join("g", session_ms=session_ms)[0], INVALID_SESSION_TIMEOUT)
        expect(client.beat("at once", "m", topics=["target"], rebalance_ms=0)[0], NONE)
        expect(client.beat("at once", "n", topics=["target"], rebalance_ms=-2147483648)[0], NONE)
        expect(client.beat("g", "m", topics=["target"], rebalance_ms=-1)[0], INVALID_REQUEST)
        expect(client.beat("g", "m", topics=["target"], assignor="mine")[0], UNSUPPORTED_ASSIGNOR)
        expect(client.beat("g", "", topics=["target"])[0], INVALID_REQUEST)
        expect(client.beat("g", "m", topics=["target"], instance="")[0], INVALID_REQUEST)
        expect(client.beat("", "m", topics=["target"])[0], INVALID_REQUEST)
        expect(client.join("")[0], INVALID_GROUP_ID)
        expect(client.code(groups.heartbeat("", 1, "m")), INVALID_GROUP_ID)


@attack("takes no assignment that its log does not hold, and goes on")
def assignments_of_megabytes(setting, broker):
    with Client(broker) as client:
        generation, member = client.enter("large")
        expect(client.code(groups.sync_group("large", generation, member, [(member, MEGABYTES)])), UNKNOWN_SERVER_ERROR)
        generation, member = client.enter("wide", metadata=NO_TOPICS + struct.pack(">i", len(MEGABYTES)) + MEGABYTES)
        expect(client.code(groups.sync_group("wide", generation, member, [(member, b"")])), UNKNOWN_SERVER_ERROR)
        generation, member = client.enter("after")
        expect(client.code(groups.sync_group("after", generation, member, [(member, b"")])), NONE)
        # For members that are not there.
        generation, member = client.enter("strangers")
        strangers = [(f"stranger {i}", b"x" * 1000) for i in range(2000)]
        expect(client.code(groups.sync_group("strangers", generation, member, [(member, b""), *strangers])), NONE)


@attack("takes group ids of any bytes, and metadata as long as it may be")
def odd_ids(setting, broker):
    with Client(broker) as client:
        for group in ("\0", "\n\t", "../../etc", "ü" * 1000, "x" * 32767, "💥", " ", "__consumer_offsets"):
            expect(client.commit(group, {0: 7}), [NONE])
        expect(client.commit("metadata", metadata="m" * 4096), [NONE])
        expect(client.commit("metadata", metadata="m" * 4097), [OFFSET_METADATA_TOO_LARGE])
        expect(client.commit("metadata", metadata="m" * 32767), [OFFSET_METADATA_TOO_LARGE])


@attack("bears a client that asks for groups without end")
def a_flood_of_groups(setting, broker):
    at_once = 500
    with Client(broker) as client:
        for first in range(0, FLOOD, at_once):
            ids = [f"flood {i}" for i in range(first, first + at_once)]
            client.connection.send(b"".join(groups.join_group(each) for each in ids))
            for _ in ids:
                expect(groups.join_answer(client.connection.answer())[0], MEMBER_ID_REQUIRED)
            client.connection.send(b"".join(groups.offset_commit(each, "target", {0: 1}) for each in ids))
            for _ in ids:
                expect(groups.commit_codes(client.connection.answer()), [NONE])
