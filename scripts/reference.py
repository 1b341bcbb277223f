"""Writes docs/reference from the code: `make docs`. With `--check` it writes nothing and fails where a page is stale.

What a command, a setting, a metric or a key of a definition does is said once, beside the code. The files
`*.in.md` of docs/reference have the words around it, conditions.yaml the examples, which tests/docs runs.
"""

import difflib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from rules.documents import read_document
from rules.durations import parse_duration
from rules.schema import json_schema
from streams.cli.command import Command, Section
from streams.cli.program import segments
from streams.metrics import metrics_table
from streams.settings import settings_table

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
NOTE = "<!-- Made by `make docs` from the code and from {name}.in.md: change it there. -->"

EXAMPLE_START = "2026-01-05 10:00 UTC"
TIME_KEYS = ("within", "since", "between")
GROUPS = {
    "What contacts did": ("did", "did_not", "sequence", "latest", "first"),
    "Who contacts are": ("trait", "known_for", "sample", "member_of", "not_member_of"),
    "Conditions joined": ("all", "any", "none", "not", "of", "score"),
}
"""The kinds of conditions in the order of the page. A kind that is missing here fails the run."""
INSIDE = {
    "sequence": {"steps": "In `sequence`", "step": "In a step", "then_not": "In `then_not`"},
    "score": {"tally": "In `score`", "part": "In a part", "each": "In `each`"},
}
"""What stands in a kind of condition and is none: its title, by its name in the schema."""

Mapping = dict[str, Any]


def commands() -> dict[str, str]:
    """The commands, by section."""
    found = [command for command in segments.commands.values() if isinstance(command, Command)]
    return {
        "COMMANDS": "\n".join(
            f"## {section}\n\n"
            + "\n".join(_command(command) for command in found if command.section is section)
            for section in Section
            if any(command.section is section for command in found)
        )
    }


def _command(command: Command) -> str:
    context = click.Context(
        command, info_name=command.name, parent=click.Context(segments, info_name="segments")
    )
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = re.split(r"\n\s*\n", (command.help or "").replace("\b", "").strip())
    about = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    rows = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and "--help" not in record[0]
    ]
    table = [
        "| option | what |",
        "| --- | --- |",
        *(f"| `{names}` | {_cell(what)} |" for names, what in rows),
    ]
    options = "\n".join(table) + "\n" if rows else ""
    examples = "```sh\n" + "\n".join(command.examples) + "\n```\n"
    return f"### `segments {command.name}`\n\n{about}\n\n```text\n{usage}\n```\n\n{options}\n{examples}"


def definitions() -> dict[str, str]:
    """Every condition with its keys and examples."""
    schema = json_schema()["definitions"]
    shown = read_document((FOLDER / "conditions.yaml").read_bytes()).value
    by_kind = {entry["kind"]: entry for entry in shown["conditions"]}
    tests = list(schema["tests"]["properties"])
    timed = [key for key in schema["trait"]["properties"] if key not in {*tests, "trait"}]
    inner = {name for parts in INSIDE.values() for name in parts}
    assert set(by_kind) == set(schema) - {
        "segment",
        "group",
        "test",
        "test_step",
        "test_transition",
        "tests",
        "condition",
        "at_least",
    } - inner | {"of"}
    return {
        "SEGMENT": _all_keys(schema["segment"]),
        "CONDITIONS": "\n".join(_groups(schema, by_kind, [*tests, *timed])),
        "TIMES": _keys(schema["did"], list(TIME_KEYS)) + "\n" + _about(shown["times"]),
        "WHERE": _about(shown["where"]),
        "TESTS": _keys(schema["trait"], [*tests, *timed]) + "\n" + _values(shown["values"]),
        "EXAMPLE": _all_keys(schema["test"]),
        "STEP": _all_keys(schema["test_step"]),
        "MOVE": _all_keys(schema["test_transition"]),
        "GROUP": _all_keys(schema["group"]),
        "POLICY": _about(shown["policy"]),
        "GROUPS": _about(shown["groups"]),
        "START": EXAMPLE_START,
    }


def _groups(schema: Mapping, by_kind: Mapping, tests: list[str]) -> Iterator[str]:
    for title, kinds in GROUPS.items():
        yield f"### {title}\n"
        for kind in kinds:
            own = schema["at_least" if kind == "of" else kind]
            keys = sorted(own["properties"], key=lambda key, own=own: key not in own["required"])  # type: ignore[misc]
            has_tests = "exists" in keys
            left = [k for k in keys if k not in (*TIME_KEYS, "where") and not (has_tests and k in tests)]
            rows = [_keys(own, left).rstrip("\n")]
            for inner, heading in INSIDE.get(kind, {}).items():
                rows.append(f"\n{heading}:\n\n" + _all_keys(schema[inner]).rstrip("\n"))
            if has_tests:
                rows.append("| [value tests](#value-tests) | | One or more; joined by *and*. |")
            if "where" in keys:
                rows.append("| [`where`](#where-and-paths) | paths and tests | Which events match. |")
                times = [f"`{key}`" for key in TIME_KEYS if key in keys]
                rows.append(f"| [{', '.join(times)}](#when-an-event-counts) | | Which times count. |")
            name = "`at_least` + `of`" if kind == "of" else f"`{kind}`"
            yield f"#### {name}\n\n" + _about(by_kind[kind], table="\n".join(rows))


def _all_keys(schema: Mapping) -> str:
    """A table of the keys, those first that are needed."""
    needed = schema.get("required", ())
    return _keys(schema, sorted(schema["properties"], key=lambda key: key not in needed))


def _keys(schema: Mapping, keys: list[str]) -> str:
    rows = ["| key | value | what |", "| --- | --- | --- |"]
    for key in keys:
        about = schema["properties"][key]
        needed = "" if key not in schema.get("required", ()) else " (needed)"
        rows.append(f"| `{key}` | {_type(about)}{needed} | {_cell(about['description'])} |")
    return "\n".join(rows) + "\n"


def _type(about: Mapping) -> str:
    if "anyOf" in about:
        return " or ".join(dict.fromkeys(_type(part) for part in about["anyOf"]))
    if "$ref" in about or "allOf" in about:
        name = str(about.get("$ref") or about["allOf"][0]["$ref"]).rpartition("/")[2]
        return name.removeprefix("test_")
    if "const" in about:
        return f"`{json.dumps(about['const'])}`"
    if about["type"] == "array":
        inner = _type(about["items"])
        return (
            f"two {inner}s"
            if "maxItems" in about
            else f"list of {inner.replace('text, number, true or false', 'value')}s"
        )
    if isinstance(about["type"], list):
        return "text, number, true or false"
    pattern = about.get("pattern", "")
    if "(ms|s|m|h|d|w)" in pattern:
        return "duration" if pattern.endswith("w)$") else "durations"
    if "{4}-" in pattern:
        return "moment"
    words = {
        "string": "text",
        "boolean": "true or false",
        "integer": "whole number",
        "object": "mapping" if about.get("additionalProperties") is True else "paths and tests",
    }
    return "key" if pattern else words.get(str(about["type"]), str(about["type"]))


def _about(entry: Mapping, table: str = "") -> str:
    examples = "\n".join(_example(example) for example in entry["examples"])
    return "\n\n".join(part.strip("\n") for part in (entry["about"], table, examples) if part) + "\n"


def _example(example: Mapping) -> str:
    shown = example["file"] if "file" in example else example["when"]
    return f"{example['name']}:\n\n```yaml\n{shown.rstrip()}\n```\n\n{_timeline(example)}"


def _timeline(example: Mapping) -> str:
    """What happens and what follows from it, in the order of time."""
    rows: list[tuple[int, int, str, str, list[str]]] = []
    causes: dict[str, int] = {}
    who = {step.get("who", "u") for step in example["steps"]}
    for step in example["steps"]:
        if "tick" in step:
            continue
        name = f"{step['who']}: " if len(who) > 1 else ""
        causes[f"m{len(rows) + 1}"] = len(rows)
        rows.append((_offset_ms(step["at"]), len(rows), step["at"], name + _what(step), []))
    for line in (line for lines in example["expect"].values() for line in lines):
        at, move, key, by = re.fullmatch(r"(.+?) (enter|exit)(?: (\S+))? by (\S+)", line).groups()  # type: ignore[union-attr]
        if by == "time":
            causes.setdefault(at, len(rows))
            if causes[at] == len(rows):
                rows.append((_offset_ms(at), len(rows), at, "*(time alone)*", []))
        rows[causes[at if by == "time" else by]][4].append(f"**{move}s**" + (f" {key}" if key else ""))
    table = ["| at | what happens | the contact |", "| --- | --- | --- |"]
    for _, _, at, what, outcome in sorted(rows):
        table.append(f"| {at} | {what} | {', '.join(outcome)} |")
    return "\n".join(table) + "\n"


def _offset_ms(offset: str) -> int:
    return sum(parse_duration(part) for part in offset.split())


def _what(step: Mapping) -> str:
    kind = next(kind for kind in ("track", "identify", "page", "screen") if kind in step)
    told = {"traits": step["identify"]} if kind == "identify" else {}
    told |= {key: step[key] for key in ("properties", "context") if key in step}
    late = f", of {step['time']}" if "time" in step else ""
    facts = "; ".join(_flow(value) for value in told.values())
    return f"`{step[kind] if kind == 'track' else kind}`{late}" + (f" `{facts}`" if facts else "")


def _flow(value: Any) -> str:
    """The value as definitions write it, in one line. `T-3d` is a moment of the examples: 3d before now."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    if isinstance(value, str):
        if moment := re.fullmatch(r"T([+-])(\w+)", value):
            return "now" if moment[2] == "0d" else f"now {moment[1]} {moment[2]}"
        if re.fullmatch(r"[\w.+-][\w .+@-]*", value) and read_document(value.encode()).value == value:
            return value
    return json.dumps(value, ensure_ascii=False)


def _values(rows: list[Mapping]) -> str:
    def cell(values: list[Any]) -> str:
        return ", ".join("*(missing)*" if value == "missing" else f"`{_flow(value)}`" for value in values)

    table = ["| test | passes | fails |", "| --- | --- | --- |"]
    for row in rows:
        test = _flow(row["test"]).removeprefix("{").removesuffix("}")
        table.append(f"| `{_cell(test)}` | {cell(row['passes'])} | {cell(row['fails'])} |")
    return "\n".join(table) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], dict[str, str]]] = {
    "commands": commands,
    "settings": lambda: {"SETTINGS": settings_table()},
    "metrics": lambda: {"METRICS": metrics_table()},
    "definitions": definitions,
}
"""What is put into each page."""


def page(name: str) -> str:
    """A page: its text, with the parts that come from the code."""
    text = (FOLDER / f"{name}.in.md").read_text(encoding="utf-8")
    for place, part in (PARTS[name]() | {"NOTE": NOTE.format(name=name)}).items():
        assert f"<{place}>" in text, f"{name}.in.md has no place for <{place}>"
        text = text.replace(f"<{place}>", part.strip("\n"))
    return text


def main() -> None:
    stale = []
    for name in PARTS:
        path, text = FOLDER / f"{name}.md", page(name)
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        if text == before:
            continue
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path}")
            continue
        stale.append(name)
        sys.stdout.writelines(
            difflib.unified_diff(before.splitlines(True), text.splitlines(True), name, "the code")
        )
    if stale:
        sys.exit(f"stale in docs/reference: {', '.join(stale)}: run make docs")


if __name__ == "__main__":
    main()
