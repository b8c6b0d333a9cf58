#!/usr/bin/env python3
"""Prints the system calls that a unit's SystemCallFilter lets through, by systemd's own groups.

    allowed_calls.py UNIT
"""
import re
import subprocess
import sys


def groups():
    """Name -> members: calls, and other groups."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], check=True, capture_output=True, text=True).stdout
    found, members = {}, []
    for line in text.splitlines():
        if line.startswith("@"):
            members = found.setdefault(line.strip(), [])
        elif re.match(r"\s+[@a-z]", line):
            members.append(line.strip())
    return found


def expand(name, known):
    if not name.startswith("@"):
        return {name}
    return set().union(*(expand(member, known) for member in known[name]))


def main(unit):
    known = groups()
    allowed = expand("@default", known)
    with open(unit, encoding="utf-8") as file:
        for value in re.findall(r"^SystemCallFilter=(.*)$", file.read(), re.M):
            named = set().union(*(expand(name, known) for name in value.lstrip("~").split()))
            allowed = allowed - named if value.startswith("~") else allowed | named
    print("\n".join(sorted(allowed)))


main(sys.argv[1])
