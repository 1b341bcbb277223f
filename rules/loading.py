"""From a directory of YAML files to definitions, or to every problem that they have (contract, section 4)."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rules.definitions import Definitions
from rules.documents import Document, Unreadable, read_document
from rules.errors import DefinitionError, Finding
from rules.examples import Example
from rules.group import Group
from rules.messages import problems_in
from rules.naming import Naming, named_in_group, named_in_segment
from rules.problems import Problem, closest, shown
from rules.reading import Located, Reading, finding_of
from rules.references import findings_between, unknown_in_examples
from rules.remaining import all_problems_in
from rules.segment import Segment

FILE_KEYS = ("segments", "groups", "tests")
SUFFIXES = (".yaml", ".yml")
"""Of definition files."""
_EXAMPLE_ENDS = (".test.yaml", ".test.yml")


def load(directory: str | Path) -> Definitions:
    """The definitions of a directory tree. Raises DefinitionError with every error in them."""
    reading = read(directory)
    if reading.errors:
        raise DefinitionError(sorted(reading.errors, key=lambda finding: finding.place))
    return reading.definitions


def read(directory: str | Path) -> Reading:
    """Reads all that can be read, and notes what is wrong."""
    reading = Reading()
    root = Path(directory)
    if not root.is_dir():
        what = "is no directory" if root.exists() else "does not exist"
        reading.findings.append(
            _of_tree(root, f"the directory {what}", "name the directory of your definitions")
        )
        return reading
    reading.files = [str(path) for path in sorted(_files(root))]
    if not reading.files:
        reading.findings.append(
            _of_tree(root, "there are no definitions (*.yaml, *.yml)", "add a file with segments:")
        )
    first: dict[str, tuple[str, int]] = {}
    for file in reading.files:
        _read_file(file, reading, first)
    reading.findings += findings_between(reading)
    for file in sorted(map(str, _files(root, examples=True))):
        _read_examples_file(file, reading)
    reading.example_findings += unknown_in_examples(reading)
    return reading


def _of_tree(root: Path, message: str, hint: str) -> Finding:
    return Finding("no_definitions", "error", str(root), 0, 0, None, message, hint)


def _files(root: Path, parents: frozenset[str] = frozenset(), *, examples: bool = False) -> Iterator[Path]:
    """Definition files, or files of examples alone, in subdirectories too.

    Names with a dot in front are left out: a mounted ConfigMap shows each file a second time in such a directory.
    """
    real = os.path.realpath(root)
    if real in parents:
        return
    try:
        entries = sorted(root.iterdir())
    except OSError:
        # A directory that cannot be listed is reported like a file that cannot be read.
        if not examples:
            yield root
        return
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files(path, parents | {real}, examples=examples)
        elif path.suffix in SUFFIXES and path.name.endswith(_EXAMPLE_ENDS) == examples:
            yield path


def _read_file(file: str, reading: Reading, first: dict[str, tuple[str, int]]) -> None:
    document = _document(file, reading.findings)
    if document is None:
        return
    segments = list(_segments(document, file, reading))
    reading.findings += _noted(document, file, segments)
    for number, value in segments:
        _read_segment(value, number, file, document, reading, first)
    for number, value in _listed(document, "groups", file, reading.findings):
        _read_group(value, number, file, document, reading)
    _read_examples(document, file, reading)


def _document(file: str, findings: list[Finding]) -> Document | None:
    path = Path(file)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # A pipe would be waited for without end.
            problem = Problem(
                "unreadable", "this is no file of its own, but a pipe or a device", "take it away"
            )
            findings.append(finding_of("error", problem, file, (1, 1)))
            return None
        return read_document(path.read_bytes())
    except OSError as error:
        problem = Problem("unreadable", f"the file cannot be read: {error.strerror}")
        findings.append(finding_of("error", problem, file, (1, 1)))
    except Unreadable as error:
        findings.append(finding_of("error", error.problem, file, error.place))
    return None


def _read_examples_file(file: str, reading: Reading) -> None:
    document = _document(file, reading.example_findings)
    if document is None:
        return
    findings = reading.example_findings
    findings += [finding_of("error", problem, file, place) for problem, _, place in document.errors]
    if not isinstance(document.value, dict) or set(document.value) != {"tests"}:
        problem = Problem(
            "wrong_type", "a file of examples is a mapping with `tests` alone", "write tests: and a list"
        )
        findings.append(finding_of("error", problem, file, document.place(())))
    _read_examples(document, file, reading)


def _read_examples(document: Document, file: str, reading: Reading) -> None:
    for number, value in _listed(document, "tests", file, reading.example_findings):
        at = ("tests", number)
        try:
            reading.examples.append(Located(Example.model_validate(value), file, document, at))
        except ValidationError as error:
            refused = _refused(problems_in(error, Example), document, at, file, None)
            reading.example_findings += refused


def _noted(document: Document, file: str, segments: list[tuple[int, Any]]) -> Iterator[Finding]:
    """What was found while the file was read, each with the segment that it stands in."""
    keys = {number: _key_of(value) for number, value in segments}

    def segment_at(path: tuple[str | int, ...]) -> str | None:
        number = path[1] if len(path) > 1 and path[0] == "segments" else None
        return keys.get(number) if isinstance(number, int) else None

    for problem, path, place in document.errors:
        yield finding_of("error", problem, file, place, segment_at(path))
    for problem, path, place in document.warnings:
        # Examples are read by what runs them.
        if path[:1] != ("tests",):
            yield finding_of("warning", problem, file, place, segment_at(path))


def _segments(document: Document, file: str, reading: Reading) -> Iterator[tuple[int, Any]]:
    content = document.value
    if not isinstance(content, dict):
        message = (
            "the file is empty"
            if content is None
            else f"a definition file is a mapping, not {shown(content)}"
        )
        problem = Problem("wrong_type", message, "write segments: and a list below it")
        reading.findings.append(finding_of("error", problem, file, document.place(())))
        return
    for key in content:
        if key not in FILE_KEYS:
            meant = closest(key, FILE_KEYS)
            hint = f"did you mean `{meant}`?" if meant else "a file holds segments:"
            problem = Problem("unknown_key", f"unknown key `{key}`", hint)
            reading.findings.append(finding_of("error", problem, file, document.place((key,), on_key=True)))
    if not any(key in content for key in FILE_KEYS):
        problem = Problem("missing_key", "the file has no `segments`", "write segments: and a list below it")
        reading.findings.append(finding_of("error", problem, file, document.place(())))
    yield from _listed(document, "segments", file, reading.findings)


def _listed(document: Document, key: str, file: str, findings: list[Finding]) -> Iterator[tuple[int, Any]]:
    """What stands in a list of the file, if it has it."""
    if not isinstance(document.value, dict) or key not in document.value:
        return
    listed = document.value[key]
    if isinstance(listed, list):
        yield from enumerate(listed)
        return
    hint = f"write - {'name' if key == 'tests' else 'key'}: .. below it"
    problem = Problem("wrong_type", f"`{key}` wants a list, not {shown(listed)}", hint)
    findings.append(finding_of("error", problem, file, document.place((key,))))


def _key_of(value: Any) -> str | None:
    key = value.get("key") if isinstance(value, dict) else None
    return key if isinstance(key, str) and key else None


def _read_segment(
    value: Any,
    number: int,
    file: str,
    document: Document,
    reading: Reading,
    first: dict[str, tuple[str, int]],
) -> None:
    key, at = _key_of(value), ("segments", number)
    if key is not None:
        line_column = document.place((*at, "key"))
        if key in first:
            other = "{}:{}".format(*first[key])
            problem = Problem(
                "duplicate_segment", f"the key {shown(key)} is taken by {other}", "give it another key"
            )
            reading.findings.append(finding_of("error", problem, file, line_column, key))
        else:
            first[key] = (file, line_column[0])
            reading.keys[key] = line_column
    reading.namings.append(Naming(key, tuple(named_in_segment(value, at)), file, document, at))
    try:
        reading.located.append(Located(Segment.model_validate(value), file, document, at))
    except ValidationError as error:
        reading.findings += _refused(all_problems_in(value, error, Segment), document, at, file, key)


def _read_group(value: Any, number: int, file: str, document: Document, reading: Reading) -> None:
    at = ("groups", number)
    reading.group_namings.append(Naming(_key_of(value), tuple(named_in_group(value, at)), file, document, at))
    try:
        reading.groups.append(Located(Group.model_validate(value), file, document, at))
    except ValidationError as error:
        reading.findings += _refused(all_problems_in(value, error, Group), document, at, file, None)


def _refused(
    problems: Iterable[Problem], document: Document, at: tuple[str | int, ...], file: str, segment: str | None
) -> Iterator[Finding]:
    known = {place for _, _, place in document.errors}
    for problem in problems:
        where = document.place((*at, *problem.at), on_key=problem.on_key)
        if where not in known:  # there the value could not even be read
            yield finding_of("error", problem, file, where, segment)
