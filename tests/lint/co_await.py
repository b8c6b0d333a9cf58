#!/usr/bin/env python3
"""Looks for what g++ 12.2 compiles wrongly, and for what no compiler can see (both in STYLE: C++20 that keeps it small).

  - An aggregate temporary in an expression with co_await is destroyed twice: `co_await f(Aggregate{...})`, `co_await f({...})`,
    `Aggregate{.x = co_await ...}`.  First a named variable, then the await.
  - A co_await on the right of && or || may be taken with what was true before; so may one in an arm of ?:.  And a ?: among the arguments
    of what is awaited loses its value.  First a named variable, then the await.
  - A capturing lambda that is a coroutine dies before its coroutine does.

Usage: co_await.py ROOT [FOLDER...].  Prints each place and fails if there is one.  `--self-test` proves that it can.
"""

import pathlib
import re
import sys

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
CAPTURING_COROUTINE = re.compile(
    r"\[[^\]\[]+\]\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*(?:mutable\s*)?(?:noexcept\s*)?->\s*(?:\w+::)*awaitable\b"
)
BLOCK_BEFORE = re.compile(r"(?:^|[);{}:]|\b(?:else|do|try|const|noexcept|mutable|override|final))\s*$|->\s*[\w:<>,\s*&]+$")
LAMBDA_BEFORE = re.compile(r"\]\s*(?:\([^()]*\))?\s*(?:mutable)?(?:->\s*[\w:<>,\s*&]+)?$")
VIEW_BEFORE = re.compile(r"\bstd::(?:span|string_view)$")  # nothing to destroy twice
DECLARES_SCOPE = re.compile(r"\b(?:struct|class|union|enum|namespace|concept|extern)\b[^;{}()=]*$")


def without_noise(text):
    """Comments and literals become blanks of the same length, so positions stay."""
    return NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def is_block(before):
    """Does the `{` that follows this text open a block of code, rather than a braced value?"""
    return bool(BLOCK_BEFORE.search(before) or DECLARES_SCOPE.search(before))


def enclosing_value(text, position):
    """Is this position inside a braced value of the same expression?"""
    depth = 0
    for at in range(position - 1, -1, -1):
        char = text[at]
        if char in ")}]":
            depth += 1
        elif char in "([":
            depth -= 1
        elif char == "{":
            if depth <= 0:
                return not is_block(text[max(0, at - 300) : at].rstrip())
            depth -= 1
        elif char == ";" and depth <= 0:
            return False
    return False


def awaited_value(text, position):
    """Is there a braced value in what follows, up to the end of the statement?"""
    depth = 0
    for at in range(position, len(text)):
        char = text[at]
        if char == "{":
            before = text[max(0, at - 300) : at].rstrip()
            return depth > 0 and not LAMBDA_BEFORE.search(before) and not VIEW_BEFORE.search(before)
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                return False
        elif char == ";" and depth == 0:
            return False
    return False


def chosen_argument(text, position):
    """Is there a ?: among the arguments of what is awaited?"""
    depth = 0
    for at in range(position, len(text)):
        char = text[at]
        if char == "?":
            return depth > 0
        if char == "{":
            return False
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                return False
        elif char == ";":
            return False
    return False


def findings(text):
    text = without_noise(text)
    for match in re.finditer(r"(?:&&|\|\||\?)\s*[!(]*\s*co_await\b", text):
        yield match.start(), "co_await after && or || or ?: await into a variable first"
    for match in re.finditer(r"\bco_await\b", text):
        if chosen_argument(text, match.end()):
            yield match.start(), "?: among the arguments of what is awaited: name it first"
        if enclosing_value(text, match.start()):
            yield match.start(), "co_await inside an aggregate's braces: name the awaited value first"
        elif awaited_value(text, match.end()):
            yield match.start(), "an aggregate temporary beside co_await: name it first"
    for match in CAPTURING_COROUTINE.finditer(text):
        yield match.start(), "a capturing lambda as a coroutine: make it a function with parameters"


def self_test():
    bad = [
        "void f() { co_await g(Request{.a = 1}); }",
        "void f() { auto x = Answer{.code = co_await g()}; }",
        "void f() { co_await g({1, 2}); }",
        "void f() { spawn([this]() -> awaitable<void> { co_return; }); }",
        "void f() { if (x) { co_await g(a, B{c}); } }",
        "void f() { co_return Answer{1, co_await g(2)}; }",
        "void f() { while (!a() && co_await b()) c(); }",
        "void f() { auto x = a ? co_await b() : 0; }",
        "void f() { co_await g(a ? b(1) : c); }",
    ]
    good = [
        "void f() { Request r{.a = 1}; co_await g(r); }",
        "struct S { awaitable<void> f() const { co_await g(); } };",
        "void f() { if (auto x = co_await g(); x) { h({1}); } }",
        "void f() { for (;;) { co_await g(); } } // co_await f(A{1})",
        "void f() { spawn([](X x) -> awaitable<void> { co_await x.y(); }); }",
        "awaitable<int> f() { co_return co_await g(); }",
        "void f() { const bool x = co_await g(a); if (x && y) h(x ? 1 : 2); }",
        "namespace kq::net { struct T { int a{0}; awaitable<void> f() { auto r = co_await g(a); (void)r; } }; }",
    ]
    wrong = [case for case in bad if not list(findings(case))] + [case for case in good if list(findings(case))]
    for case in wrong:
        print("judged wrongly:", case)
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root, folders = pathlib.Path(arguments[0]), arguments[1:]
    found = 0
    for folder in folders:
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            text = path.read_text(encoding="utf-8")
            for position, what in findings(text):
                found += 1
                print(f"{path.relative_to(root)}:{text.count(chr(10), 0, position) + 1}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
