#!/usr/bin/env python3
"""Prints C++ from the schema in messages/: plain structs with one fields() each.  No codec is printed; wire.hpp holds those.

  generate.py messages OUTDIR FILE.msg...   one header per file, e.g. produce.msg -> OUTDIR/produce.hpp
  generate.py codes errors.txt OUT          enum class Code and its table
  generate.py apis apis.txt OUT             enum class ApiKey and its table

Names (namespace kq):
  api produce                     ProduceRequest, ProduceResponse (ProduceRequest::Response is the latter)
  record offset_commit key/value  OffsetCommitKey, OffsetCommitValue
  record topic (no key)           TopicRecord
  message request_header          RequestHeader
  struct topic_produce_data       ProduceRequest::TopicProduceData: a name inside its message, never deeper
  field group_id                  group_id; FindCoordinatorRequest::key_ has an underscore, as its message has a constant of that name

Constants: `key` (of an api) or `type` (of a record), `schema_name`, and versions: `oldest`, `newest`, `stable` (the newest one meant
for use) and `flexible` (the first flexible one; 32767 where there is none).

Types: string is std::string_view, bytes Bytes, records Records, uuid Uuid, an int16 that ends in error_code Code, an array
std::vector; what may be null in some version is a std::optional of these.  Views point into the frame that was decoded, which has
to outlive the message.  Every member has a default, the protocol's.

The form of the .msg files is told in messages/README.md.
"""

import os
import re
import sys

PRIMITIVES = {'bool': 'bool', 'int8': 'int8_t', 'int16': 'int16_t', 'uint16': 'uint16_t', 'int32': 'int32_t',
              'uint32': 'uint32_t', 'int64': 'int64_t', 'float64': 'double', 'string': 'std::string_view', 'bytes': 'Bytes',
              'uuid': 'Uuid', 'records': 'Records'}
ANY = 32767   # above every version


def pascal(name):
    return ''.join(word.capitalize() for word in name.split('_'))


def snake(name):
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).lower()


def is_versions(token):
    return re.fullmatch(r'\d+|\d+\.\.(\d+)?|\.\.\d+', token) is not None


def versions(token, lo, hi):
    """A range of the schema; a bound that is left out is the enclosing one."""
    if '..' not in token:
        return int(token), int(token)
    low, high = token.split('..')
    return int(low) if low else lo, int(high) if high else hi


class Node:
    """A line and the lines that stand one level below it."""

    def __init__(self, words):
        self.words, self.children = words, []


def parse_tree(path):
    root = Node([])
    stack = [root]
    for number, line in enumerate(open(path, encoding='utf-8'), 1):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip(' '))
        depth = indent // 2
        if indent % 2 or depth >= len(stack):
            sys.exit(f'{path}:{number}: wrong indentation')
        node = Node(line.split())
        stack[depth].children.append(node)
        stack[depth + 1:] = [node]
    return root


class Field:
    def __init__(self, node, message, lo, hi):
        words = list(node.words)
        self.name, kind = words.pop(0), words.pop(0)
        self.member = self.name
        self.array = kind.startswith('[]')
        self.nullable = (lo, hi) if kind.endswith('?') else None
        self.type = kind.removeprefix('[]').removesuffix('?')
        self.lo, self.hi, self.enclosing = lo, hi, (lo, hi)
        self.tag = self.default = None
        self.ignorable = self.rigid = self.secret = False
        if words and is_versions(words[0]):
            self.lo, self.hi = versions(words.pop(0), lo, hi)
        while words:
            word = words.pop(0)
            if word == 'tag':
                self.tag = int(words.pop(0))
            elif word == 'nullable':
                self.nullable = versions(words.pop(0), self.lo, self.hi)
            elif word == '=':
                self.default = words.pop(0)
            elif word in ('ignorable', 'rigid', 'secret', 'key'):
                setattr(self, word, True)
            else:
                sys.exit(f'{message.cpp}.{self.name}: what is "{word}"?')
        self.is_struct = self.type not in PRIMITIVES
        if self.is_struct:
            if node.children:
                message.add_struct(self.type, node.children, self.lo, self.hi)
            elif self.type in message.blocks and self.type not in message.structs:
                message.add_struct(self.type, message.blocks[self.type], message.oldest, message.newest)
            elif self.type not in message.structs:
                sys.exit(f'{message.cpp}.{self.name}: no type {self.type}')
        if self.tag is not None and (self.lo < message.flexible or self.secret):
            sys.exit(f'{message.cpp}.{self.name}: a tag in a version that is not flexible, or a secret one')

    def cpp_type(self):
        base = pascal(self.type) if self.is_struct else PRIMITIVES[self.type]
        if self.type == 'int16' and not self.array and self.name.endswith('error_code'):
            base = 'Code'
        if self.array:
            base = f'std::vector<{base}>'
        return f'std::optional<{base}>' if self.nullable else base

    def declaration(self):
        kind, value = self.cpp_type(), '{}'
        if self.nullable:
            value = '{}' if self.default == 'null' else kind.removeprefix('std::optional<')[:-1] + '{}'
        elif self.default is not None:
            value = self.number(self.default)
        elif kind == 'bool':
            value = 'false'
        elif kind == 'Code':
            value = 'Code::none'
        elif kind.endswith('_t') or kind == 'double':
            value = '0'
        return f'{kind} {self.member}{value if value == "{}" else " = " + value};'

    @staticmethod
    def number(text):
        return 'std::numeric_limits<int64_t>::min()' if text == str(-2**63) else text

    def is_default(self, of):
        """The expression that is true where the field holds its default."""
        it = of + self.member
        if self.nullable and self.default == 'null':
            return f'!{it}'
        if self.nullable:
            return f'({it} && {it}->{"empty" if self.array or not self.is_struct else "is_default"}())'
        if self.array or self.type in ('string', 'bytes', 'records'):
            return f'{it}.empty()'
        if self.is_struct:
            return f'{it}.is_default()'
        if self.type == 'uuid':
            return f'{it}.is_zero()'
        if self.type == 'bool':
            return it if self.default == 'true' else f'!{it}'
        return f'{it} == {"Code::none" if self.cpp_type() == "Code" else self.number(self.default or "0")}'

    def condition(self, absent=False):
        """The versions that have this field (or lack it), among those that have what it stands in."""
        there = condition((self.lo, self.hi), self.enclosing)
        if not absent:
            return there
        return f'wire.version < {self.lo}' if self.hi == self.enclosing[1] else f'!({there})'

    def visit(self):
        method = '.rigid' if self.rigid else '.secret' if self.secret else ''
        tag = f'{self.tag}, ' if self.tag is not None else ''
        only = condition(self.nullable, (self.lo, self.hi)) if self.nullable else ''
        omit = f', {self.is_default("message.")}' if self.tag is not None else f', {only}' if only else ''
        wire = 'tagged' if self.tag is not None else 'wire'
        return f'{wire}{method}({tag}"{self.name}", message.{self.member}{omit});'


def condition(inner, outer):
    if inner[0] == inner[1] and inner != outer:
        return f'wire.version == {inner[0]}'
    return ' && '.join(([f'wire.version >= {inner[0]}'] if inner[0] > outer[0] else []) +
                       ([f'wire.version <= {inner[1]}'] if inner[1] < outer[1] else []))


class Message:
    """One struct to print, with the structs nested in it."""

    def __init__(self, cpp, kind, comment, head, body, constants, name):
        self.cpp, self.kind, self.comment, self.constants = cpp, kind, comment, dict(constants)
        words = list(head)
        self.oldest, self.newest = versions(words.pop(0), 0, 0)
        self.stable, self.flexible = self.newest, ANY
        while words:
            word = words.pop(0)
            if word == 'flexible':
                self.flexible = versions(words.pop(0), self.oldest, self.newest)[0]
            elif word == 'stable':
                self.stable = int(words.pop(0))
        self.constants.update(oldest=self.oldest, newest=self.newest, stable=self.stable, flexible=self.flexible)
        self.name = name
        self.structs = {}                                      # name -> fields, in an order that C++ accepts
        self.blocks = {n.words[1]: n.children for n in body if n.words[0] == 'struct'}
        self.fields = self.parse_fields([n for n in body if n.words[0] != 'struct'], self.oldest, self.newest)
        for field in self.fields:
            if field.name in self.constants or field.name == 'fields':
                field.member = field.name + '_'
        self.compared = set()                                  # structs that need is_default()
        for fields in [self.fields, *self.structs.values()]:
            for field in fields:
                if field.is_struct and not field.array and (field.tag is not None or self.refused(field)):
                    self.compare(field.type)

    def parse_fields(self, nodes, lo, hi):
        return [Field(node, self, lo, hi) for node in nodes]

    def add_struct(self, name, nodes, lo, hi):
        fields = self.parse_fields(nodes, lo, hi)
        if name in self.structs or pascal(name) == self.cpp:
            sys.exit(f'{self.cpp}: a second {name}')
        self.structs[name] = fields

    def compare(self, name):
        self.compared.add(name)
        for field in self.structs[name]:
            if field.is_struct and not field.array:
                self.compare(field.type)

    @staticmethod
    def refused(field):
        return bool(field.condition()) and not field.ignorable

    def print_fields(self, fields, top):
        """The body of fields(): what the visitors walk."""
        out = []
        for field in (f for f in fields if f.tag is None):
            out += self.print_visit(field)
        tagged = sorted((f for f in fields if f.tag is not None), key=lambda f: f.tag)
        unknown = 'message.unknown_tags' if top else 'no_tags'
        if self.flexible == ANY:
            return out
        if tagged:
            inner = ['  ' + line for field in tagged for line in self.print_visit(field)]
            lost = [f'if ({f.condition(absent=True)}) wire.absent("{f.name}", {f.is_default("message.")});'
                    for f in tagged if self.refused(f)]
            return out + lost + [f'wire.tags({unknown}, [&](auto& tagged) {{', *inner, '});']
        return out + [f'wire.tags({unknown});']

    def print_visit(self, field):
        when = field.condition()
        if field.tag is not None and (field.lo, field.hi) == (self.flexible, field.enclosing[1]):
            when = ''                                          # tags() asks this already
        if not when:
            return [field.visit()]
        lines = [f'if ({when}) {field.visit()}']
        if self.refused(field) and field.tag is None:
            lines.append(f'else wire.absent("{field.name}", {field.is_default("message.")});')
        return lines

    def print_struct(self, name, fields):
        lines = [f'struct {pascal(name)} {{', *('  ' + f.declaration() for f in fields)]
        if name in self.compared:
            lines.append('  bool is_default() const { return ' + ' && '.join(f.is_default('') for f in fields) + '; }')
        return [*lines, *self.walker(self.print_fields(fields, top=False)), '};', '']

    @staticmethod
    def walker(body):
        if not body:
            return ['  static void fields(auto&, auto&) {}']
        unused = '' if any('message' in line for line in body) else '[[maybe_unused]] '
        return [f'  static void fields({unused}auto& message, auto& wire) {{', *('    ' + line for line in body), '  }']

    def print(self):
        lines, inner = [], f'{snake(self.cpp)}_structs'
        if self.structs:                                       # clang wants them complete before the message begins
            lines += [f'namespace {inner} {{', '']
            for name, fields in self.structs.items():
                lines += self.print_struct(name, fields)
            lines += [f'}}  // namespace {inner}', '']
        constants = ', '.join(f'{k} = {v}' for k, v in self.constants.items())
        lines += [f'// {self.comment}', f'struct {self.cpp} {{', f'  static constexpr int16_t {constants};',
                  f'  static constexpr const char* schema_name = "{self.name}";']
        if self.kind == 'request':
            lines.append(f'  using Response = {self.cpp.removesuffix("Request")}Response;')
        lines += [f'  using {pascal(name)} = {inner}::{pascal(name)};' for name in self.structs]
        lines += ['', *('  ' + field.declaration() for field in self.fields)]
        if self.flexible != ANY:
            lines.append('  UnknownTags unknown_tags{};')
        return lines + self.walker(self.print_fields(self.fields, top=True)) + ['};', '']


def parse_messages(path):
    """The messages of a .msg file, in the order of the file."""
    out, api, record = [], None, None
    file = os.path.basename(path)
    for node in parse_tree(path).children:
        kind, *rest = node.words
        if kind == 'api':
            api = (int(rest[0]), rest[1])
        elif kind == 'record':
            record = (int(rest[0]), rest[1])
        elif kind in ('request', 'response'):
            out.append(Message(pascal(api[1]) + pascal(kind), kind, f'{pascal(api[1])} {kind}, from {file}.', rest, node.children,
                               {'key': api[0]}, api[1]))
        elif kind in ('key', 'value'):
            comment = f'Record {record[0]} {record[1]}, its {kind}, from {file}.'
            out.append(Message(pascal(record[1]) + pascal(kind), kind, comment, rest, node.children, {'type': record[0]}, record[1]))
        elif kind == 'message':
            out.append(Message(pascal(rest[0]), kind, f'{pascal(rest[0])}, from {file}.', rest[1:], node.children, {}, rest[0]))
        elif kind != 'listeners':
            sys.exit(f'{path}: what is "{kind}"?')
    names = {message.cpp for message in out}
    for message in out:                                        # a record without key is its value
        stem = message.cpp.removesuffix('Value')
        if message.kind == 'value' and stem + 'Key' not in names:
            message.cpp = stem + 'Record'
    return out


def print_messages(out_dir, paths):
    seen = {}
    for path in paths:
        messages = parse_messages(path)
        for message in messages:
            if seen.setdefault(message.cpp, path) != path:
                sys.exit(f'{path}: {message.cpp} is also in {seen[message.cpp]}')
        name = os.path.basename(path).removesuffix('.msg')
        lines = [f'// Generated by libkq/protocol/generate.py from {name}.msg.', '#pragma once', '',
                 '#include "libkq/protocol/types.hpp"', '', 'namespace kq {', '']
        lines += [f'struct {m.cpp};' for m in messages if m.kind == 'response']
        for message in messages:
            lines += message.print()
        write(os.path.join(out_dir, name + '.hpp'), [*lines, '}  // namespace kq'])


CODES = """\
// Generated by libkq/protocol/generate.py from errors.txt.
#pragma once

#include <cstdint>

namespace kq {

// Kafka's error codes.  A newer peer may send others: they travel as they are.
enum class Code : int16_t {
@enum@
};

// What may help: nothing, the same again, or the same again after fresh metadata or a new look-up of the coordinator.
enum class Remedy : uint8_t { none, retry, refresh };

struct CodeInfo {
  Code code;
  Remedy remedy;
  const char* name;      // as Kafka writes it: NOT_LEADER_OR_FOLLOWER
  const char* meaning;
};

// In the order of their numbers.
constexpr CodeInfo code_table[] = {
@table@
};

// A code that nobody knows is told as UNKNOWN_SERVER_ERROR.
constexpr const CodeInfo& info(Code code) {
  for (const CodeInfo& row : code_table)
    if (row.code == code) return row;
  return code_table[0];
}

constexpr const char* name_of(Code code) { return info(code).name; }
constexpr const char* meaning_of(Code code) { return info(code).meaning; }
constexpr Remedy remedy_of(Code code) { return info(code).remedy; }

}  // namespace kq
"""

APIS = """\
// Generated by libkq/protocol/generate.py from apis.txt.
#pragma once

#include <cstdint>

namespace kq {

// Keys of removed apis stay reserved and stand in no table.
enum class ApiKey : int16_t {
@enum@
};

// What Kafka 4.2 speaks; what a kqd answers is in its own dispatch table.
struct ApiInfo {
  ApiKey key;
  const char* name;      // as Kafka writes it: OffsetForLeaderEpoch
  int16_t oldest, newest;
  int16_t stable;        // the newest version that is offered
  int16_t flexible;      // the first flexible version; 32767: none
  bool broker, controller;  // the listeners that take it
  bool forward;          // answered by the active controller
  bool cluster;          // between brokers
};

// In the order of their keys.
constexpr ApiInfo api_table[] = {
@table@
};

// nullptr: removed, or never heard of.
constexpr const ApiInfo* api_info(ApiKey key) {
  for (const ApiInfo& row : api_table)
    if (row.key == key) return &row;
  return nullptr;
}

}  // namespace kq
"""


def table_rows(path):
    return [line.rstrip('\n') for line in open(path, encoding='utf-8').readlines()[1:] if line.strip()]


def print_table(template, enum, table, out):
    write(out, [template.replace('@enum@', '\n'.join(enum)).replace('@table@', '\n'.join(table)).rstrip('\n')])


def print_codes(path, out):
    rows = [re.fullmatch(r'\s*(-?\d+)\s+(\S+)\s+(\S+)\s+(.*)', line).groups() for line in table_rows(path)]
    table = []
    for _, name, retry, what in rows:
        remedy = 'none' if retry == '-' else retry
        what = what.replace('"', '\\"')
        table.append(f'    {{Code::{name.lower()}, Remedy::{remedy}, "{name}", "{what}"}},')
    print_table(CODES, [f'  {name.lower()} = {code},' for code, name, _, _ in rows], table, out)


def print_apis(path, out):
    rows = [(line.split() + [''])[:8] for line in table_rows(path)]
    table = []
    for _, name, low, high, stable, flexible, where, marks in rows:
        if where == 'removed':
            continue
        flexible = ANY if flexible == '-' else flexible
        said = [*where.split(','), *marks.split(',')]
        flags = ', '.join(str(word in said).lower() for word in ('broker', 'controller', 'forward', 'cluster'))
        table.append(f'    {{ApiKey::{name}, "{pascal(name)}", {low}, {high}, {stable}, {flexible}, {flags}}},')
    print_table(APIS, [f'  {row[1]} = {row[0]},' for row in rows], table, out)


def write(path, lines):
    """A file that would stay the same is left alone, so that nothing is compiled again."""
    text = '\n'.join(lines) + '\n'
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            if file.read() == text:
                return
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


if __name__ == '__main__':
    {'messages': lambda: print_messages(sys.argv[2], sys.argv[3:]), 'codes': lambda: print_codes(sys.argv[2], sys.argv[3]),
     'apis': lambda: print_apis(sys.argv[2], sys.argv[3])}[sys.argv[1]]()
