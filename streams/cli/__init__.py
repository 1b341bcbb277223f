"""`segments`, the command line (contract, section 7): one module per group of commands.

Modules of commands import what is heavy (Faust, Kafka clients, pydantic) inside the commands: `segments --help` must
not wait for it.
"""

from streams.cli.program import main

__all__ = ["main"]
