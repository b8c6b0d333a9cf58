"""From what a constructor is given to what libkq is given: a dict under Kafka's own names."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, Union

from . import _kq, _log

Value = Union[str, int, float, bool, Sequence[str]]
Config = Union[Mapping[str, Value], str, "os.PathLike[str]"]


class HasAddress(Protocol):
    @property
    def address(self) -> str: ...


Servers = Union[str, Sequence[str], HasAddress, None]


class Option(NamedTuple):
    """A setting of the client, as `options()` lists it."""

    name: str
    alias: str | None
    type: str
    default: str | None
    allowed: str | None
    doc: str


def options() -> list[Option]:
    """All settings of producer, consumer and admin."""
    return [Option(*option) for option in map(_kq.option_at, range(_kq.option_count())) if option]


def settings(servers: Servers, config: Config | None, named: Mapping[str, Value | None]) -> dict[str, Value]:
    """`config` (a dict, or a properties file), then the named ones (linger_ms=5), then the servers."""
    merged: dict[str, Value] = {}
    if isinstance(config, Mapping):
        merged.update(config)
    elif config is not None:
        merged.update(_kq.config_file(config))
    merged.update({name.replace("_", "."): value for name, value in named.items() if value is not None})
    if servers is not None:
        address = getattr(servers, "address", servers)
        if not isinstance(address, (str, list, tuple)):
            raise TypeError(f'servers are a string such as "localhost:9092", a list of them, or a Broker, not {servers!r}')
        merged["bootstrap.servers"] = address
    return merged


def logged(config: dict[str, Value], log: logging.Logger | None) -> dict[str, Value]:
    """With the logger that a client's lines go to, unless a descriptor was given for them."""
    if log is not None and not isinstance(log, logging.Logger):
        raise TypeError(f"log is a logger of logging, not {log!r}")
    if log is not None or "log.descriptor" not in config:
        log = _log.logger if log is None else log
        config["log.descriptor"] = _log.descriptor(log)
        if "log_level" not in config:
            config.setdefault("log.level", _log.level(log))
    return config


def milliseconds(config: dict[str, Value], name: str, default: int) -> int:
    """A setting in milliseconds; one that is no number is left for libkq to refuse."""
    try:
        return int(str(config.get(name, default)))
    except ValueError:
        return default
