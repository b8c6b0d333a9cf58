#!/usr/bin/env python3
"""Prints one C++ file of many that together list every message of the schema: registry.py SCHEMA_DIR PART PARTS OUT.

The files instantiate every visitor for every message, which is why they are many."""

import glob
import os
import sys

schema, part, parts, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
sys.path.insert(0, os.path.dirname(schema))
sys.dont_write_bytecode = True
import generate  # noqa: E402

paths = sorted(glob.glob(os.path.join(schema, '*.msg')))[part::parts]
with open(out, 'w', encoding='utf-8') as file:
    for path in paths:
        print(f'#include "libkq/protocol/messages/{os.path.basename(path)[:-4]}.hpp"', file=file)
    print('#include "tests/wire/registry.hpp"\n\nnamespace kq {', file=file)
    print(f'extern const std::span<const Entry> registry_part_{part};\nstatic const Entry entries[] = {{', file=file)
    for path in paths:
        for message in generate.parse_messages(path):
            number = message.constants.get('key', message.constants.get('type', -1))
            print(f'    entry<{message.cpp}>("{os.path.basename(path)[:-4]}", "{message.kind}", {number}),', file=file)
    print(f'}};\nconst std::span<const Entry> registry_part_{part}{{entries}};\n}}  // namespace kq', file=file)
