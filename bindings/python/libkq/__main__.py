"""The kq command, as `kq` and `python -m libkq`: the one that came with this package, or the system's."""

from __future__ import annotations

import os
import shutil
import sys


def command() -> None:
    own = os.path.join(os.path.dirname(__file__), "bin", "kq")
    path = own if os.path.exists(own) else shutil.which("kq")
    if path is None:
        sys.exit("libkq was installed without the kq command, and there is none on the PATH")
    os.execv(path, ["kq", *sys.argv[1:]])


if __name__ == "__main__":
    command()
