"""Writes the source of one generated function."""

import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from rules.sharing import shared
from rules.verdict import ALWAYS, NEVER

Function = Callable[..., Any]


class Emitter:
    """Collects statements, the features that they read, and the constants that they use.

    Generated code is about three times as fast as nested closures, which matters on the path of every event. It holds
    no text of a definition: names, patterns and values are bound as constants, so that no definition can become a
    program.

    Constants and numbers are in a tuple that is the value of a parameter, so functions of the same shape have one code. A
    thousand segments have a few dozen pieces of it, which are compiled once and stay in the processor's caches; and only
    those constants are touched that a call comes to.
    """

    def __init__(self, parameters: str = "features, now, contact") -> None:
        self._parameters = parameters
        self._lines: list[str] = []
        self._constants: list[Any] = []
        self._features: dict[int, str] = {}
        self._variables = 0
        self._margin = ""

    def line(self, text: str) -> None:
        """Adds a statement of the function's body."""
        self._lines.append(self._margin + text)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """What is added meanwhile is done only where the condition holds."""
        self.line(f"if {condition}:")
        margin, self._margin = self._margin, self._margin + "    "
        try:
            yield
        finally:
            self._margin = margin

    def feature(self, number: int) -> str:
        """The name of a feature's state, None where the contact has none; it is looked up once in the function."""
        return self._features.setdefault(number, f"f{len(self._features)}")

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

    def function(self, result: str) -> Function:
        """The function whose body was written and that returns ``result``."""
        reads = [f"{name} = features.get({self.number(number)})" for number, name in self._features.items()]
        body = "".join(f"\n    {line}" for line in [*reads, *self._lines, f"return {result}"])
        code = _compiled(f"def judge({self._parameters}, c):{body}")
        return FunctionType(code, _SCOPE, argdefs=(tuple(self._constants),))


_SCOPE: dict[str, Any] = {"ALWAYS": ALWAYS, "NEVER": NEVER, "__builtins__": builtins}


@shared
def _compiled(source: str) -> CodeType:
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - only our own names and integers
    code: CodeType = scope["judge"].__code__
    return code


@shared
def _same(number: int) -> int:
    return number
