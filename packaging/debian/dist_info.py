#!/usr/bin/env python3
"""Writes what pip and importlib.metadata want to know of the Python package, which Meson has installed.

    dist_info.py PYPROJECT DIRECTORY
"""
import pathlib
import sys
import tomllib

with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
info = pathlib.Path(sys.argv[2]) / f"{project['name']}-{project['version']}.dist-info"
info.mkdir(parents=True)
(info / "METADATA").write_text(
    f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\nSummary: {project['description']}\n"
    f"License: {project['license']['text']}\nRequires-Python: {project['requires-python']}\n"
)
(info / "INSTALLER").write_text("debian\n")
