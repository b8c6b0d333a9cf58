"""KafkaError and KafkaException: codes and names as librdkafka has them."""

from __future__ import annotations

from typing import Any

from ... import _kq
from ..._errors import AbortableError, FatalError, KqError, RetriableError

_LOCAL = {
    "_BAD_MSG": -199, "_BAD_COMPRESSION": -198, "_DESTROY": -197, "_FAIL": -196, "_TRANSPORT": -195, "_CRIT_SYS_RESOURCE": -194,
    "_RESOLVE": -193, "_MSG_TIMED_OUT": -192, "_PARTITION_EOF": -191, "_UNKNOWN_PARTITION": -190, "_FS": -189, "_UNKNOWN_TOPIC": -188,
    "_ALL_BROKERS_DOWN": -187, "_INVALID_ARG": -186, "_TIMED_OUT": -185, "_QUEUE_FULL": -184, "_ISR_INSUFF": -183, "_NODE_UPDATE": -182,
    "_SSL": -181, "_WAIT_COORD": -180, "_UNKNOWN_GROUP": -179, "_IN_PROGRESS": -178, "_PREV_IN_PROGRESS": -177,
    "_EXISTING_SUBSCRIPTION": -176, "_ASSIGN_PARTITIONS": -175, "_REVOKE_PARTITIONS": -174, "_CONFLICT": -173, "_STATE": -172,
    "_UNKNOWN_PROTOCOL": -171, "_NOT_IMPLEMENTED": -170, "_AUTHENTICATION": -169, "_NO_OFFSET": -168, "_OUTDATED": -167,
    "_TIMED_OUT_QUEUE": -166, "_UNSUPPORTED_FEATURE": -165, "_WAIT_CACHE": -164, "_INTR": -163, "_KEY_SERIALIZATION": -162,
    "_VALUE_SERIALIZATION": -161, "_KEY_DESERIALIZATION": -160, "_VALUE_DESERIALIZATION": -159, "_PARTIAL": -158, "_READ_ONLY": -157,
    "_NOENT": -156, "_UNDERFLOW": -155, "_INVALID_TYPE": -154, "_RETRY": -153, "_PURGE_QUEUE": -152, "_PURGE_INFLIGHT": -151,
    "_FATAL": -150, "_INCONSISTENT": -149, "_GAPLESS_GUARANTEE": -148, "_MAX_POLL_EXCEEDED": -147, "_UNKNOWN_BROKER": -146,
    "_NOT_CONFIGURED": -145, "_FENCED": -144, "_APPLICATION": -143, "_ASSIGNMENT_LOST": -142, "_NOOP": -141, "_AUTO_OFFSET_RESET": -140,
    "_LOG_TRUNCATION": -139, "_INVALID_DIFFERENT_RECORD": -138,
}  # fmt: skip
_OTHER_NAMES = {
    "UNKNOWN": -1, "NO_ERROR": 0, "INVALID_MSG": 2, "UNKNOWN_TOPIC_OR_PART": 3, "INVALID_MSG_SIZE": 4, "NOT_LEADER_FOR_PARTITION": 6,
    "MSG_SIZE_TOO_LARGE": 10, "STALE_CTRL_EPOCH": 11, "COORDINATOR_LOAD_IN_PROGRESS": 14, "NOT_COORDINATOR": 16, "TOPIC_EXCEPTION": 17,
    "INVALID_TIMESTAMP": 32, "INVALID_TRANSACTION_TIMEOUT": 50, "UNSUPPORTED_FOR_MESSAGE_FORMAT": 43, "GROUP_SUBSCRIBED_TO_TOPIC": 86,
}  # fmt: skip
_FROM_KQ = {
    -1000: -196, -1001: -186, -1002: -186, -1003: -194, -1004: -172, -1005: -185, -1006: -184, -1007: -193, -1008: -195, -1009: -199,
    -1010: -194, -1011: -196, -1012: -165, -1013: -199,
}  # fmt: skip


class _Codes(type):
    """Type checkers know the codes by it: KafkaError._PARTITION_EOF is an int."""

    def __getattr__(cls, name: str) -> int:
        raise AttributeError(f"KafkaError has no code {name}")


class KafkaError(metaclass=_Codes):
    """What failed, and whether to try again."""

    def __init__(
        self, error: int, reason: str | None = None, fatal: bool = False, retriable: bool = False, txn_requires_abort: bool = False
    ) -> None:
        self._code, self._fatal, self._retriable, self._abort = int(error), bool(fatal), bool(retriable), bool(txn_requires_abort)
        self._reason = reason if reason is not None else _NAMES.get(self._code, f"Err-{self._code}?")

    def code(self) -> int:
        return self._code

    def name(self) -> str:
        return _NAMES.get(self._code, f"ERR_{self._code}?")

    def str(self) -> str:
        return self._reason

    def fatal(self) -> bool:
        return self._fatal

    def retriable(self) -> bool:
        return self._retriable

    def txn_requires_abort(self) -> bool:
        return self._abort

    def __str__(self) -> str:  # type: ignore[valid-type]
        return f'KafkaError{{{"FATAL," if self._fatal else ""}code={self.name()},val={self._code},str="{self._reason}"}}'

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return self._code == (other._code if isinstance(other, KafkaError) else other)

    def __lt__(self, other: Any) -> bool:
        return bool(self._code < (other._code if isinstance(other, KafkaError) else other))

    def __hash__(self) -> int:
        return hash(self._code)

    def __bool__(self) -> bool:
        return self._code != 0

    def __reduce__(self) -> tuple[Any, ...]:
        return KafkaError, (self._code, self._reason, self._fatal, self._retriable, self._abort)


_NAMES: dict[int, str] = {}
for _number in range(-1, 134):
    _name = _kq.code_name(_number)
    if _name != "UNKNOWN":
        setattr(KafkaError, _name, _number)
        _NAMES[_number] = _name
for _name, _number in {**_OTHER_NAMES, **_LOCAL}.items():
    setattr(KafkaError, _name, _number)
    _NAMES[_number] = _name


class KafkaException(Exception):
    """args[0] is a KafkaError."""


def from_kq(error: KqError) -> KafkaError:
    code = _FROM_KQ.get(error.code, error.code)
    if error.code == -1005 and "deliver" in error.message:
        code = -192
    return KafkaError(
        code, error.message, isinstance(error, FatalError), isinstance(error, RetriableError), isinstance(error, AbortableError)
    )
