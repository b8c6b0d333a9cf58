#!/usr/bin/env python3
"""Other people's software against kqd, and kq against Apache Kafka.  README.md tells what is proved.

  run.py --bin DIR [--work DIR] [--broker kqd|kafka|both] [--keep] [WORD...]

--bin     the build directory with broker/kqd and cli/kq
--work    where brokers keep their data and logs; emptied first (default: a directory under the build directory)
--broker  kqd alone, Apache Kafka alone (to see what it expects: a case must pass there first), or, by default, what each
          case asks for
WORD      run only the cases whose name contains it; --list prints the names

Prints TAP.  KQ_PEER_CACHE holds what is downloaded once (default: ~/.cache/kq-tests); KQ_KAFKA_LIBS names a folder that
holds the jars already.
"""

import argparse
import importlib
import os
import pathlib
import shutil
import signal
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from kqpeer import downloads  # noqa: E402

CASE_SECONDS_MAX = 300
GROUPS = ["main_job", "command", "hand_over", "kept_logs", "faults", "bad_input"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--broker", choices=["kqd", "kafka", "both"], default="both")
    parser.add_argument("--keep", action="store_true", help="leave data and logs of cases that went well")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("words", nargs="*")
    return parser.parse_args()


def chosen_cases(options):
    from kqpeer import cases

    for group in GROUPS:
        importlib.import_module("kqpeer." + group)
    for case in cases.ALL:
        if options.broker != "both" and case.broker != options.broker:
            continue
        if options.broker == "both" and case.broker == "kafka" and not case.always:
            continue
        if not options.words or any(word in case.name for word in options.words):
            yield case


def out_of_time(*_):
    raise TimeoutError(f"the case took more than {CASE_SECONDS_MAX} s")


def run_case(number, case, setting, keep):
    """True when it passed.  Everything that a case started is down after it, whatever happened."""
    start = time.monotonic()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(CASE_SECONDS_MAX)
    try:
        case.run(setting)
        problem = None
    except Exception:  # a case may fail in any way; the next one runs all the same
        problem = traceback.format_exc()
    signal.alarm(0)
    for broker in setting.close():
        problem = (problem or "") + broker.epitaph()
    print(f"{'not ok' if problem else 'ok'} {number} - {case.name}  # {time.monotonic() - start:.1f} s", flush=True)
    if problem:
        print("".join(f"#   {line}\n" for line in problem.splitlines()), end="", flush=True)
    elif not keep:
        shutil.rmtree(setting.directory, ignore_errors=True)
    return not problem


def main():
    options = arguments()
    from kqpeer.setting import Setting

    chosen = list(chosen_cases(options))
    if options.list:
        print("\n".join(case.name for case in chosen))
        return 0
    work = (options.work or options.bin / "peer-work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    print(f"1..{len(chosen)}", flush=True)
    passed = [
        run_case(number, case, Setting(options.bin.resolve(), work / f"{number:02}"), options.keep)
        for number, case in enumerate(chosen, 1)
    ]
    print(f"# {sum(passed)} of {len(passed)} passed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    downloads.run_in_venv(__file__)
    sys.exit(main())
