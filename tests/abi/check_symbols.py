#!/usr/bin/env python3
"""What the header declares, what the version script names and what the library shows are the same symbols.

    check_symbols.py HEADER MAP LIBRARY       prints what differs; exit status 1 where anything does
"""
import re
import subprocess
import sys


def declared(header):
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return set(re.findall(r"KQ_API[^;{]*?\b(kq_\w+)\s*\(", text))


def mapped(version_script):
    with open(version_script, encoding="utf-8") as file:
        text = re.sub(r"#.*", "", file.read())
    return set(re.findall(r"\b(kq_\w+)\s*;", text))


def shown(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout.splitlines()
    # A version node is itself an absolute symbol.
    return {line.split()[2].split("@")[0] for line in lines if line.split()[1] != "A"}


def main():
    header, version_script, library = sys.argv[1:]
    sets = {"header": declared(header), "map": mapped(version_script), "library": shown(library)}
    everything = set.union(*sets.values())
    bad = [(name, [where for where, names in sets.items() if name not in names]) for name in sorted(everything)]
    bad = [(name, missing) for name, missing in bad if missing]
    for name, missing in bad:
        print(f"{name} is not in the {', nor in the '.join(missing)}")
    print(f"{len(everything)} symbols, {len(bad)} differ")
    return 1 if bad or not everything else 0


sys.exit(main())
