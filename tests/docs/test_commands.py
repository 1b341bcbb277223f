"""Commands that the documentation names are there, with the options that it gives them."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from streams.cli.program import segments
from tests.docs.pages import ROOT, blocks, pages, prose

_SEPARATORS = re.compile(r"\s(?:\||&&|&|;|>|<)(?=\s|$)|\"?\$\(|\)\"?(?=\s|$)")


def shown_commands() -> Iterator[tuple[str, str]]:
    """Where a command stands, and the command, from blocks of shell and from the text."""
    for block in blocks("sh", "console"):
        lines = re.sub(r"\\\n", " ", block.text).splitlines()
        session = block.language == "console"
        for line in lines:
            if session and not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ").partition("  #")[0]
            for part in _SEPARATORS.split(command):
                yield str(block), part.strip()
    for page in pages():
        for found in re.findall(r"`((?:segments|make) [^`]+)`", prose(page)):
            yield page.name, found


SHOWN = [pytest.param(command, id=f"{where} {command}") for where, command in shown_commands()]
SEGMENTS = [shown for shown in SHOWN if re.match(r"(?:[A-Z_]+=\S+ )*segments ", str(shown.values[0]))]
MAKE = [shown for shown in SHOWN if str(shown.values[0]).startswith("make ")]


@pytest.mark.parametrize("shown", SEGMENTS)
def test_a_command_exists_and_takes_what_it_is_given(shown: str) -> None:
    words = shlex.split(shown)
    arguments = words[words.index("segments") + 1 :]
    if arguments[0] == "COMMAND":
        return
    if arguments[0].startswith("-"):
        assert arguments[0] in ("--help", "--version")
        return
    command = segments.get_command(click.Context(segments), arguments[0])
    assert command is not None, f"there is no command {arguments[0]}"
    context = click.Context(command, info_name=command.name, resilient_parsing=True)
    try:
        command.make_parser(context).parse_args(arguments[1:])
    except click.NoSuchOption as error:
        pytest.fail(str(error))
    except click.UsageError:
        pass  # the text names a command without all that it needs


@pytest.mark.parametrize("shown", MAKE)
def test_a_target_of_make_exists(shown: str) -> None:
    target = shown.split()[1]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(f"^{re.escape(target)}:", makefile, re.MULTILINE), f"there is no target {target}"
