"""Writes the source of one generated function."""

import builtins
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FunctionType, MappingProxyType
from typing import Any

from rules.sharing import shared
from rules.verdict import ALWAYS, NEVER

Function = Callable[..., Any]

OFTEN = 3
"""So many conditions that ask how much there is of the same make it worth a variable."""


class Emitter:
    """Collects statements, the features that they read, and the constants that they use.

    Generated code is about three times as fast as nested closures, which matters on the path of every event. It holds
    no text of a definition: names, patterns and values are bound as constants, so that no definition can become a
    program.

    Constants and numbers are in a tuple that is the value of a parameter, so functions of the same shape have one code. A
    thousand segments have a few dozen pieces of it, which are compiled once and stay in the processor's caches; and only
    those constants are touched that a call comes to.
    """

    def __init__(
        self, parameters: str = "features, now, contact", often: Mapping[int, int] = MappingProxyType({})
    ) -> None:
        """``often``: how many conditions of what the function judges ask for a feature, by its number."""
        self.often = often
        self._parameters = parameters
        self._lines: list[str] = []
        self._constants: list[Any] = []
        self._features: dict[int, tuple[str, str]] = {}
        """By number: the name of its state, and what stands for the number."""
        self._known: list[set[str]] = [set()]
        """The variables that have been given a value in each block that is open, the outermost first."""
        self._enough: list[tuple[int, int]] = []
        """For each open block that is about that: a feature, by its number, and how many elements it has there at least."""
        self._variables = 0
        self._margin = ""

    def line(self, text: str) -> None:
        """Adds a statement of the function's body."""
        self._lines.append(self._margin + text)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """What is added meanwhile is done only where the condition holds."""
        self.line(f"if {condition}:")
        margin, self._margin = self._margin, self._margin + " "
        self._known.append(set())
        try:
            yield
        finally:
            self._margin = margin
            self._known.pop()

    def feature(self, number: int) -> str:
        """The name of a feature's state, None where the contact has none. It is looked up here, unless it has been on
        every way that leads here: most contacts are not asked for most of what a segment needs."""
        if number not in self._features:
            self._features[number] = f"f{len(self._features)}", self.number(number)
        name, key = self._features[number]
        self._let(name, f"features.get({key})")
        return name

    @contextmanager
    def when_at_least(self, number: int, low: int) -> Iterator[None]:
        """What is added meanwhile is done only where a feature's state, a list, has so many elements or more."""
        with self.when(self.at_least(number, low)):
            self._enough.append((number, low))
            try:
                yield
            finally:
                self._enough.pop()

    def at_least(self, number: int, low: int) -> str:
        """The condition that a feature's state, a list, has so many elements or more, of which there is to be one at
        least; empty where it holds on every way that leads here."""
        state = self.feature(number)
        if self.is_enough(number, low):
            return ""
        if low == 1:
            return state
        if self.often.get(number, 0) < OFTEN:
            return f"{state} is not None and len({state}) >= {low}"
        length = f"n{state}"
        self._let(length, f"len({state}) if {state} else 0")
        return f"{length} >= {low}"

    def is_enough(self, number: int, low: int) -> bool:
        """Whether a block is open in which a feature's state has so many elements or more."""
        return any(known == number and least >= low for known, least in self._enough)

    def _let(self, name: str, expression: str) -> None:
        """Gives a variable its value, which is the same wherever it is given, unless it has it."""
        if not any(name in block for block in self._known):
            self.line(f"{name} = {expression}")
            self._known[-1].add(name)

    @property
    def depth(self) -> int:
        """How many blocks are open."""
        return len(self._known) - 1

    def variable(self) -> str:
        """A name that no other statement uses."""
        self._variables += 1
        return f"v{self._variables}"

    def named(self, expression: str) -> str:
        """The variable that holds what an expression says."""
        if expression.isidentifier():
            return expression
        name = self.variable()
        self.line(f"{name} = {expression}")
        return name

    def constant(self, value: Any) -> str:
        """What stands for ``value``."""
        self._constants.append(value)
        return f"c[{len(self._constants) - 1}]"

    def number(self, value: int) -> str:
        """What stands for a whole number in which segments that are alike otherwise differ, such as a length of time."""
        return self.constant(_same(value))

    def parts(self, result: str) -> tuple[Function, tuple[Any, ...]]:
        """The same as ``function``, as the function that all of this shape share, and the constants to call it with."""
        code = self._code(result)
        return _plain(code), tuple(self._constants)

    def function(self, result: str) -> Function:
        """The function whose body was written and that returns ``result``."""
        code = self._code(result)
        return FunctionType(code, _SCOPE, argdefs=(tuple(self._constants),))

    def _code(self, result: str) -> CodeType:
        body = "".join(f"\n {line}" for line in [*self._lines, f"return {result}"])
        return _compiled(f"def judge({self._parameters}, c):{body}")


_SCOPE: dict[str, Any] = {"ALWAYS": ALWAYS, "NEVER": NEVER, "__builtins__": builtins}


@shared
def _compiled(source: str) -> CodeType:
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - only our own names and integers
    code: CodeType = scope["judge"].__code__
    return code


@shared
def _plain(code: CodeType) -> Function:
    return FunctionType(code, _SCOPE)


@shared
def _same(number: int) -> int:
    return number
