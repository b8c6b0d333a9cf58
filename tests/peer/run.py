#!/usr/bin/env python3
"""Other people's software against kqd, and kq against Apache Kafka.  README.md tells what is proved.

  run.py --bin DIR [--work DIR] [--broker kqd|kafka|both] [--jobs N] [--keep] [WORD...]

--bin     the build directory with broker/kqd and cli/kq
--work    where brokers keep their data and logs; emptied first (default: a directory under the build directory)
--broker  kqd alone, Apache Kafka alone (to see what it expects: a case must pass there first), or, by default, what each
          case asks for
--jobs    cases that run side by side (default: 2); each is a process of its own
WORD      run only the cases whose name contains it; --list prints the names

KQ_TEST_TIER=full runs the long cases too, which are otherwise run only by name.
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
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from kqpeer import downloads  # noqa: E402

CASE_SECONDS_MAX = 300
FULL = os.environ.get("KQ_TEST_TIER") == "full"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--broker", choices=["kqd", "kafka", "both"], default="both")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="leave data and logs of cases that went well")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("words", nargs="*")
    return parser.parse_args()


def chosen_cases(options):
    from kqpeer import cases

    for path in sorted((HERE / "kqpeer").glob("*.py")):  # importing a file with cases puts them on the list
        importlib.import_module("kqpeer." + path.stem)
    for case in cases.ALL:
        if options.broker != "both" and case.broker != options.broker:
            continue
        if options.broker == "both" and case.broker == "kafka" and not case.always:
            continue
        if any(word in case.name for word in options.words) or not options.words and (FULL or not case.full):
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


def begin(number, case, setting, keep):
    """Forks a process for the case, which prints to a file; its number and the file."""
    output = tempfile.TemporaryFile("w+")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.dup2(output.fileno(), 1)
        sys.stdout = output
        passed = run_case(number, case, setting, keep)
        output.flush()
        os._exit(0 if passed else 1)
    return pid, output


def run_all(cases, work, options):
    """How many passed.  A case that takes its process with it has failed, and the others go on."""
    from kqpeer.setting import Setting

    waiting, running, passed = list(enumerate(cases, 1))[::-1], {}, 0
    while waiting or running:
        while waiting and len(running) < options.jobs:
            number, case = waiting.pop()
            pid, output = begin(number, case, Setting(options.bin.resolve(), work / f"{number:02}"), options.keep)
            running[pid] = number, case, output
        pid, status = os.wait()
        number, case, output = running.pop(pid)
        output.seek(0)
        said = output.read()
        if os.WIFSIGNALED(status):
            said += f"not ok {number} - {case.name}  # killed by signal {os.WTERMSIG(status)}\n"
        print(said, end="", flush=True)
        passed += status == 0
    return passed


def main():
    options = arguments()
    chosen = list(chosen_cases(options))
    if options.list:
        print("\n".join(case.name for case in chosen))
        return 0
    work = (options.work or options.bin / "peer-work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    print(f"1..{len(chosen)}", flush=True)
    passed = run_all(chosen, work, options)
    print(f"# {passed} of {len(chosen)} passed")
    return 0 if passed == len(chosen) else 1


if __name__ == "__main__":
    downloads.run_in_venv(__file__)
    sys.exit(main())
