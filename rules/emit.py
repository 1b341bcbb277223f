"""Writes the source of one generated function."""

from collections.abc import Callable
from typing import Any

from rules.verdict import ALWAYS, NEVER

Judge = Callable[[dict[int, Any], int, Any], int]
"""From features, now (shifted) and the contact to a verdict."""


class Emitter:
    """Collects statements and the constants that they use.

    Generated code is about three times as fast as nested closures, which matters on the path of every event.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._constants: dict[str, Any] = {"ALWAYS": ALWAYS, "NEVER": NEVER}
        self._variables = 0

    def line(self, text: str) -> None:
        """Adds a statement of the function's body."""
        self._lines.append(text)

    def variable(self) -> str:
        """A name that no other statement uses."""
        self._variables += 1
        return f"v{self._variables}"

    def constant(self, value: Any) -> str:
        """A name bound to ``value``."""
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def function(self, result: str) -> Judge:
        """The function whose body was written and that returns the variable ``result``."""
        body = "".join(f"\n    {line}" for line in [*self._lines, f"return {result}"])
        scope = dict(self._constants)
        exec(f"def judge(features, now, contact):{body}", scope)  # noqa: S102 - only our own names and integers
        judge: Judge = scope["judge"]
        return judge
