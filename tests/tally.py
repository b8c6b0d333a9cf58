#!/usr/bin/env python3
"""Counts single test cases for tests/run.sh: prints `pass NAME` or `fail NAME` for each.

  tally.py meson SUITE testlog.json    what `meson test` left behind: cases of CMocka or TAP in each program, else the program
  tally.py tap SUITE output            TAP as a suite printed it

Nothing that ought to be there goes missing in silence: a program that dies counts as a failure beside the cases it got
through, as does a suite without a case, and a TAP stream that ends before its plan.
"""

import json
import re
import sys

CMOCKA = re.compile(r"^\[ +(OK|FAILED) +\] (\S.*?)$", re.M)
TAP = re.compile(r"^(not ok|ok)\b *\d* *-? *(.*)$", re.M)
PLAN = re.compile(r"^1\.\.(\d+)", re.M)


def cmocka_cases(output):
    """CMocka names a failed case twice: where it fails and in its summary."""
    verdicts = {}
    for verdict, name in CMOCKA.findall(output):
        if not re.match(r"\d+ test\(s\)|\S+: \d+ test\(s\)", name):
            verdicts[name] = verdicts.get(name, True) and verdict == "OK"
    return list((name, good) for name, good in verdicts.items())


def tap_cases(output):
    cases = [(name.strip() or "unnamed", verdict == "ok" or "# TODO" in name) for verdict, name in TAP.findall(output)]
    plan = PLAN.search(output)
    if cases and (not plan or int(plan.group(1)) != len(cases)):
        cases.append((f"planned {plan.group(1) if plan else 'nothing'}, ran {len(cases)}", False))
    return cases


def program_cases(test):
    name = test["name"].split(" / ")[-1]
    output = test.get("stdout", "") + "\n" + test.get("stderr", "")
    good = test["result"] in ("OK", "EXPECTEDFAIL")
    cases = cmocka_cases(output) or tap_cases(output)
    if not cases or (not good and all(verdict for _, verdict in cases)):
        cases = cases + [(test["result"].lower() if not good else "", good)]
    return [(f"{name}: {case}".rstrip(": "), verdict) for case, verdict in cases]


def meson_cases(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return [case for line in log for case in program_cases(json.loads(line))]
    except FileNotFoundError:
        return [("did not build, or has no tests", False)]


def main(kind, suite, path):
    if kind == "meson":
        cases = meson_cases(path)
    else:
        with open(path, encoding="utf-8", errors="replace") as output:
            cases = tap_cases(output.read())
    for name, good in cases or [("ran no test", False)]:
        print("pass" if good else "fail", f"{suite}: {name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
