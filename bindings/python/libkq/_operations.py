"""A method and a row type for each operation, made from libkq's own tables when this is imported.  _operations.pyi spells them out for type
checkers and editors; tools/operations.py writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._rows import Row, columns, operations, parameters


def type_name(operation: str, path: str = "") -> str:
    """describe_topics, partitions.isr: DescribeTopicsPartitionsIsrRow."""
    words = operation.split("_") + path.replace(".", "_").split("_")
    return "".join(word.capitalize() for word in words if word) + "Row"


def _row_type(operation: str, path: str = "") -> type[Row]:
    prefix = path + "." if path else ""
    own = [field for field in columns(operation) if field.name.startswith(prefix) and "." not in field.name[len(prefix) :]]
    nested = {field.name[len(prefix) :]: _row_type(operation, field.name) for field in own if field.type == "r"}
    doc = "\n".join(f"{field.name[len(prefix) :]}: {field.doc or ''}" for field in own)
    return type(type_name(operation, path), (Row,), {"_nested": nested, "__doc__": doc, "__module__": "libkq"})


def _manual(operation: str, doc: str) -> str:
    lines = [doc, ""]
    for field in parameters(operation):
        rest = f" (default: {field.default})" if field.default else ""
        lines.append(f"    {field.name}: {field.doc or ''}{rest}")
    return "\n".join([*lines, "", "Columns of the rows: " + ", ".join(field.name for field in columns(operation))])


def _method(operation: str, doc: str) -> Callable[..., Any]:
    def method(self: Any, *items: Any, **named: Any) -> Any:
        return self.run(operation, *items, **named)

    method.__doc__ = _manual(operation, doc)
    method.__name__ = operation
    method.__qualname__ = f"Admin.{operation}"
    return method


ROWS: dict[str, type[Row]] = {operation: _row_type(operation) for operation in operations()}
_METHODS = {operation: _method(operation, doc) for operation, doc in operations().items() if operation.isidentifier()}
Operations = type("Operations", (), dict(_METHODS))
AsyncOperations = type("AsyncOperations", (), dict(_METHODS))
