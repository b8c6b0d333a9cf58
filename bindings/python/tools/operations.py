#!/usr/bin/env python3
"""Writes libkq/_operations.pyi: the operations of the installed libkq as a type checker wants them.  Run it when kq.h has more of them."""

import pathlib
import sys

from libkq._operations import type_name
from libkq._rows import columns, operations, parameters

TYPES = {"s": "str", "i": "int", "b": "bytes"}


def row_types(operation, path=""):
    prefix = path + "." if path else ""
    own = [field for field in columns(operation) if field.name.startswith(prefix) and "." not in field.name[len(prefix) :]]
    for field in own:
        if field.type == "r":
            yield from row_types(operation, field.name)
    yield f"class {type_name(operation, path)}(Row):"
    for field in own:
        kind = f"list[{type_name(operation, field.name)}]" if field.type == "r" else TYPES[field.type]
        yield f"    {field.name[len(prefix):]}: {kind}{' | None' if field.nullable else ''}"
    if not own:
        yield "    ..."
    yield ""


def method(operation, asynchronous):
    lines = [f"    {'async ' if asynchronous else ''}def {operation}(", "        self,", "        *items: Item,"]
    for field in parameters(operation):
        kind = "Repeated" if field.repeated else {"s": "str", "i": "int", "b": "bytes"}[field.type]
        lines.append(f"        {field.name}: {kind} | None = None,")
    return [*lines, "        timeout: float | None = None,", "        check: bool = True,", f"    ) -> list[{type_name(operation)}]: ..."]


def main():
    lines = [
        '"""Written by tools/operations.py."""', "", "from collections.abc import Mapping, Sequence", "from typing import Any", "",
        "from ._rows import Row", "", "Item = str | tuple[Any, ...] | Mapping[str, Any]",
        "Repeated = str | Sequence[str | Sequence[int]] | Mapping[str, str | int | float | bool]", "",
        "ROWS: dict[str, type[Row]]", "", "def type_name(operation: str, path: str = ...) -> str: ...", "",
    ]
    for operation in operations():
        lines += row_types(operation)
    for name, asynchronous in (("Operations", False), ("AsyncOperations", True)):
        lines.append(f"class {name}:")
        for operation in operations():
            lines += method(operation, asynchronous)
        lines.append("")
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / "libkq/_operations.pyi"
    target.write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
