#!/usr/bin/env python3
"""tap.py NAME=REPORTS...: prints surefire's reports as TAP.  A run without any report, or one that broke a rule of JNI, has failed."""

import pathlib
import sys
import xml.etree.ElementTree as xml


def cases(name, reports):
    """(what, how it failed or None) of each test."""
    found = 0
    for path in sorted(reports.glob("TEST-*.xml")):
        for case in xml.parse(path).getroot().iter("testcase"):
            if case.find("skipped") is not None:
                continue
            found += 1
            broken = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
            kind = case.get("classname").rsplit(".", 1)[-1]
            yield f"java on {name}: {kind}: {case.get('name')}", None if broken is None else broken.text or broken.get("message") or "?"
    if found == 0:
        yield f"java on {name}: it was built and ran tests", "no report; see above"
    noise = "".join(path.read_text(errors="replace") for path in reports.glob("*.dumpstream"))
    noise = noise[:2000] if "native method" in noise else None
    yield f"java on {name}: -Xcheck:jni finds nothing", noise


def main(*runs):
    number = failed = 0
    for run in runs:
        name, reports = run.split("=", 1)
        for what, failure in cases(name, pathlib.Path(reports)):
            number += 1
            print(f"{'ok' if failure is None else 'not ok'} {number} - {what}")
            if failure is not None:
                failed += 1
                print("".join(f"# {line}\n" for line in failure.splitlines()[:40]), end="")
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
