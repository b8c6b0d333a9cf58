"""Administration: what a request is made from, and what its rows become."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from . import _kq
from ._errors import KqError


class Field(NamedTuple):
    """A parameter or a column of an operation."""

    name: str
    type: str
    nullable: bool
    repeated: bool
    per_item: bool
    default: str | None
    doc: str | None


class Row:
    """A row of an answer: its columns are attributes, and `error` is what its item failed with (None: it went well)."""

    error: KqError | None
    _nested: Mapping[str, type[Row]] = {}

    def __init__(self, values: Mapping[str, Any], error: KqError | None) -> None:
        for name, value in values.items():
            setattr(self, name, [self._nested.get(name, Row)(*pair) for pair in value] if isinstance(value, list) else value)
        self.error = error

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"this row has no column {name!r}; it has {', '.join(vars(self))}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and vars(self) == vars(other)

    def __repr__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if name != "error" or value is not None}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _fields(of: Callable[[str, int], Any], operation: str) -> Iterator[Field]:
    index = 0
    while (field := of(operation, index)) is not None:
        name, kind, nullable, repeated, per_item, default, doc = field
        yield Field(name, kind, bool(nullable), bool(repeated), bool(per_item), default, doc)
        index += 1


def operations() -> dict[str, str]:
    """The operations that libkq has, and a sentence on each."""
    names = filter(None, map(_kq.operation_name, range(_kq.operation_count())))
    return {name: _kq.operation_doc(name) or "" for name in names}


def parameters(operation: str) -> list[Field]:
    return list(_fields(_kq.operation_parameter, operation))


def columns(operation: str) -> list[Field]:
    return list(_fields(_kq.operation_column, operation))


def _values(field: Field, value: Any) -> Iterator[tuple[str, str | int | bytes]]:
    """A parameter as libkq takes it; one that may be repeated takes a list, or a dict of key=value."""
    if field.repeated:
        if isinstance(value, Mapping):
            value = [f"{key}={_text(each)}" for key, each in value.items()]
        elif isinstance(value, (str, bytes)):
            value = [value]
        for each in value:
            yield field.name, ",".join(map(str, each)) if isinstance(each, (list, tuple)) else each
    elif isinstance(value, bool):
        yield field.name, int(value)
    else:
        yield field.name, value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def request(operation: str, items: tuple[Any, ...], named: Mapping[str, Any]) -> list[tuple[str, Any] | None]:
    """What a method was called with, as the list that libkq's request is made from."""
    fields = {field.name: field for field in parameters(operation)}
    if unknown := [name for name in named if name not in fields]:
        raise TypeError(f"{operation} has no parameter {unknown[0]!r}: it takes {', '.join(fields) or 'none'}")
    per_item = {name: field for name, field in fields.items() if field.per_item}
    first = next(iter(per_item), None)
    whole = [pair for name, value in named.items() if name not in per_item and value is not None for pair in _values(fields[name], value)]
    shared = {name: value for name, value in named.items() if name in per_item and value is not None}
    if items and first is None:
        raise TypeError(f"{operation} is about nothing in particular: it takes only named parameters")
    asked: list[tuple[str, Any] | None] = list(whole)
    for number, item in enumerate(items or ([{}] if shared else [])):
        values = dict(shared)
        if isinstance(item, Mapping):
            values.update(item)
        elif isinstance(item, tuple):
            values.update(zip(per_item, item))
        else:
            values[str(first)] = item
        if unknown := [name for name in values if name not in per_item]:
            raise TypeError(f"an item of {operation} has no {unknown[0]!r}: it takes {', '.join(per_item)}")
        if number:
            asked.append(None)
        for name, value in values.items():
            asked.extend(_values(per_item[name], value))
    return asked


def rows(kind: type[Row], answer: list[tuple[dict[str, Any], KqError | None]], check: bool) -> list[Any]:
    result = [kind(*pair) for pair in answer]
    if check:
        for row in result:
            if row.error is not None:
                raise row.error
    return result


def statistics(name: str, handle: object) -> dict[str, Any]:
    [row] = json.loads(_kq.call(name, handle, None))
    return dict(row)
