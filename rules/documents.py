"""One YAML file: its plain values, and the place of each (contract, section 4: YAML 1.2, its JSON schema)."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from rules.problems import Problem, shown

MOST_DEPTH = 100
"""Levels of lists and mappings: more than any sound definition has, far fewer than Python's stack."""
MOST_COPIES = 10_000
"""Values that aliases may add, so that a few lines cannot become millions."""

_TAG = "tag:yaml.org,2002:"
_LOOKS_BOOLEAN = frozenset(
    [
        "y",
        "Y",
        "yes",
        "Yes",
        "YES",
        "n",
        "N",
        "no",
        "No",
        "NO",
        "True",
        "TRUE",
        "False",
        "FALSE",
        "on",
        "On",
        "ON",
        "off",
        "Off",
        "OFF",
    ]
)
_LOOKS_NULL = frozenset(("~", "Null", "NULL"))
_LOOKS_NUMERIC = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
"""What YAML takes for a number beside its JSON schema."""

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""


class Unreadable(Exception):
    """The file as a whole cannot be read; nothing in it counts."""

    def __init__(self, problem: Problem, place: Place = (1, 1)) -> None:
        super().__init__(problem.message)
        self.problem, self.place = problem, place


@dataclass
class Document:
    """A file's value with the places of all its parts."""

    value: Any
    root: Node | None
    errors: list[tuple[Problem, Path, Place]] = field(default_factory=list)
    warnings: list[tuple[Problem, Path, Place]] = field(default_factory=list)

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """Where the value at ``path`` stands, or its key; of what is not there, where it would be."""
        node, key = self.root, None
        for step in path:
            found = _child(node, step)
            if found is not None:
                key, node = found
        chosen = key if on_key and key is not None else node
        return (1, 1) if chosen is None else _place(chosen)


class _Loader(Reader, Scanner, Parser, Composer, BaseResolver):
    """Composes nodes, and resolves plain scalars as JSON does."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML adds to it

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            _fail("too_deep", f"over {MOST_DEPTH} levels of lists and mappings", mark)
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_scalar_node(self, anchor: Any) -> ScalarNode:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node: ScalarNode = super().compose_scalar_node(anchor)
        if event.implicit == (False, False):
            # Its tag says what it is, as quotes would: it looks like nothing else.
            node.style = "'"
        return node


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
for _name, _pattern, _first in (
    ("bool", re.compile(r"true|false"), "tf"),
    ("null", re.compile(r"null|"), ["n", ""]),
    ("int", re.compile(f"{_INTEGER.pattern}$"), "-0123456789"),
    ("float", re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?$"), "-0123456789"),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"(?:{_pattern.pattern})\\Z"), list(_first))


def read_document(data: bytes) -> Document:
    """The one document of a file. Raises Unreadable."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = (before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        raise Unreadable(Problem("encoding", "the file is not UTF-8", "save it as UTF-8"), place) from None
    root = _compose(text)
    document = Document(None, root)
    if root is not None:
        document.value = _Construction(document).value(root, ())
    return document


def _compose(text: str) -> Node | None:
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        if error.problem == "but found another document":
            problem = Problem("yaml", "the file has several documents", "keep one, without `---` in between")
        else:
            problem = Problem(
                "yaml", f"this is no YAML: {error.problem or error.context}", _yaml_hint(error.problem)
            )
        raise Unreadable(problem, place) from None
    except ReaderError as error:
        before = text[: error.position]
        place = (before.count("\n") + 1, error.position - before.rfind("\n"))
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise Unreadable(
            Problem("yaml", f"the character U+{code:04X} is not allowed in YAML"), place
        ) from None
    except (ValueError, OverflowError):
        # PyYAML lets go through what chr() says of an escape beyond Unicode.
        mark = loader.get_mark() if loader is not None else None
        place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        raise Unreadable(Problem("yaml", "this is no YAML: no such character"), place) from None


def _yaml_hint(problem: str | None) -> str:
    if problem is not None and "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if problem is not None and "mapping values are not allowed" in problem:
        return "put a text with a colon in quotes, and check the indentation"
    return ""


def _fail(code: str, message: str, mark: Any) -> NoReturn:
    raise Unreadable(Problem(code, message), (mark.line + 1, mark.column + 1))


class _Construction:
    """From nodes to plain values. What is wrong is noted, and the rest read on."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._copies = 0

    def value(self, node: Node, path: Path) -> Any:
        self._guard(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, ScalarNode):
                return self._scalar(node, path)
            if isinstance(node, SequenceNode):
                self._plain_tag(node, "seq", path)
                return [self.value(child, (*path, number)) for number, child in enumerate(node.value)]
            self._plain_tag(node, "map", path)
            assert isinstance(node, MappingNode)
            return dict(self._items(node, path))
        finally:
            self._open.discard(id(node))

    def _guard(self, node: Node, path: Path) -> None:
        if id(node) in self._open:
            _fail("yaml", "an alias stands within its own anchor", node.start_mark)
        if len(path) > MOST_DEPTH:
            _fail("too_deep", f"over {MOST_DEPTH} levels of lists and mappings", node.start_mark)
        if id(node) in self._seen:
            self._copies += 1
            if self._copies > MOST_COPIES:
                _fail("yaml", f"aliases repeat over {MOST_COPIES:,} values", node.start_mark)
        self._seen.add(id(node))

    def _items(self, node: MappingNode, path: Path) -> Iterator[tuple[Any, Any]]:
        first: dict[Any, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in first:
                self._wrong(
                    "duplicate_key",
                    f"`{key}` stands here twice, first in line {first[key]}",
                    "remove one",
                    key_node,
                    path,
                )
                continue
            first[key] = _place(key_node)[0]
            yield key, self.value(value_node, (*path, key))

    def _key(self, node: Node, path: Path) -> str | None:
        if not isinstance(node, ScalarNode):
            self._wrong("wrong_type", "a key is a text, not a list or mapping", "", node, path)
            return None
        if node.value == "<<" and node.style is None:
            self._wrong("yaml", "merge keys (<<) are not part of YAML 1.2", "write the keys out", node, path)
            return None
        if node.tag != f"{_TAG}str":
            if node.tag.startswith(_TAG) and node.value:
                self._wrong(
                    "wrong_type", f"a key is a text, not {node.value}", f'write "{node.value}"', node, path
                )
            else:
                self._wrong("wrong_type", "a key is a text", "put it in quotes", node, path)
            return None
        key = self._scalar(node, (*path, node.value), warn=False)
        return key if isinstance(key, str) else None

    def _scalar(self, node: ScalarNode, path: Path, *, warn: bool = True) -> Any:
        text = node.value
        match node.tag.removeprefix(_TAG):
            case "str":
                if any("\ud800" <= character <= "\udfff" for character in text):
                    self._wrong(
                        "yaml",
                        "half a surrogate pair is no character",
                        "write the character itself",
                        node,
                        path,
                    )
                    return "?"
                if warn and node.style is None:
                    self._look_alike(node, path)
                return text
            case "null" if text in ("", "null"):
                return None
            case "bool" if text in ("true", "false"):
                return text == "true"
            case "int" | "float":
                return self._number(node, text, path)
            case _:
                self._wrong(
                    "yaml",
                    f"tags such as {_tag(node)} are not read",
                    "leave it out; texts can be quoted",
                    node,
                    path,
                )
                return None

    def _number(self, node: ScalarNode, text: str, path: Path) -> int | float | None:
        try:
            if len(text) <= 20 and _INTEGER.fullmatch(text):
                return int(text)
            number = float(text)
        except ValueError:
            number = math.inf
        if math.isinf(number):
            self._wrong("wrong_type", "the number is too large", "", node, path)
            return None
        return number

    def _look_alike(self, node: ScalarNode, path: Path) -> None:
        text = node.value
        if text in _LOOKS_BOOLEAN:
            truth = "true" if text.lower() in ("y", "yes", "true", "on") else "false"
            problem = Problem(
                "look_alike",
                f"{text} is a text here, not {truth}",
                f'write {truth}, or "{text}" for the text',
            )
        elif text in _LOOKS_NULL:
            problem = Problem(
                "look_alike", f"{text} is a text here, not null", f'write "{text}" for the text'
            )
        elif _LOOKS_NUMERIC.fullmatch(text):
            hint = f'write it like 10 or 0.5, or "{text}" for the text'
            problem = Problem("look_alike", f"{shown(text)} is a text here, not a number", hint)
        else:
            return
        self._document.warnings.append((problem, path, _place(node)))

    def _plain_tag(self, node: Node, kind: str, path: Path) -> None:
        if node.tag != f"{_TAG}{kind}":
            self._wrong("yaml", f"tags such as {_tag(node)} are not read", "leave it out", node, path)

    def _wrong(self, code: str, message: str, hint: str, node: Node, path: Path) -> None:
        self._document.errors.append((Problem(code, message, hint), path, _place(node)))


def _tag(node: Node) -> str:
    return str(node.tag).replace(_TAG, "!!")


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _child(node: Node | None, step: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == step:
                return key, value
    elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None
