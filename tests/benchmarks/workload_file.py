"""What `workload.yaml` may say, and the segments that it is about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from rules.definitions import Definitions
from rules.loading import load
from rules.segment import Segment

WORKLOADS = Path(__file__).parent / "workloads"


class Burst(BaseModel):
    """While latency is measured: so many events at once, every so often, besides the steady ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: int
    every_s: float


class WorkloadFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    seed: int
    partitions: int
    contacts: int
    hot_contacts: int
    hot_share: float
    repetitions: float
    step_ms: int
    start: str
    events: tuple[str, ...]
    devices: tuple[str, ...]
    segments: int | None = Field(None, ge=1)
    """How many there are; None: those that are written. More than these: families of them, each with event names of
    its own, and each contact in one family. So the events of a contact move it as they do where there is one family,
    and nothing but the number of segments differs."""
    event_bytes: int = 0
    """Each event has products until its value is about as large; 0: none."""
    every_contact_first: bool = False
    """Each contact has one event before those that are timed."""
    cached_contacts: int | None = None
    """Setting of the worker, for each partition; None: its default."""
    burst: Burst | None = None


def folder_of(name: str) -> Path:
    """Of a workload by its name, or the path itself."""
    return WORKLOADS / name if (WORKLOADS / name).is_dir() else Path(name)


def names() -> list[str]:
    """Of all workloads that the kit brings, the first one first."""
    found = sorted(path.parent.name for path in WORKLOADS.glob("*/workload.yaml"))
    return sorted(found, key=lambda name: name != "segbench")


def read(folder: Path) -> tuple[WorkloadFile, Path]:
    """The file, with what it takes over by `like: NAME` from another workload, and the folder of its definitions.

    Raises OSError or ValueError.
    """
    said, definitions = _said(folder)
    return WorkloadFile.model_validate(said), definitions


def _said(folder: Path) -> tuple[dict[str, Any], Path]:
    said = yaml.safe_load((folder / "workload.yaml").read_text())
    other = said.pop("like", None)
    if other is None:
        return said, folder / "segments"
    base, definitions = _said(folder_of(other))
    return base | said, definitions


class SegmentSet:
    """The segments of a workload: those that are written, the first few of them, or families of them."""

    def __init__(self, file: WorkloadFile, written: Path) -> None:
        """Raises OSError, ValueError or DefinitionError."""
        self._written, self._events = written, file.events
        documents = [
            document
            for path in sorted(written.glob("*.yaml"))
            for document in yaml.safe_load(path.read_text())["segments"]
        ]
        wanted = len(documents) if file.segments is None else file.segments
        self.families = max(wanted // len(documents), 1)
        if self.families > 1 and wanted % len(documents):
            raise ValueError(f"segments: {wanted} are no families of {len(documents)}")
        self._as_written = file.segments is None
        if self.families == 1:
            self.documents = documents[:wanted]
        else:
            self.documents = [self._of_family(one, n) for n in range(self.families) for one in documents]

    def definitions(self) -> Definitions:
        if self._as_written:
            return load(self._written)
        return Definitions(tuple(map(Segment.model_validate, self.documents)))

    def folder(self, into: Path) -> Path:
        """Where they are as files: the folder that they come from, or a new one in ``into``."""
        if self._as_written:
            return self._written
        made = into / "definitions"
        made.mkdir()
        (made / "segments.yaml").write_text(yaml.safe_dump({"segments": self.documents}))
        return made

    def event_name(self, name: str, contact_number: int) -> str:
        """What an event is called where a contact of this number does it."""
        return name if self.families == 1 else _own(name, contact_number % self.families)

    def _of_family(self, document: Mapping[str, Any], family: int) -> dict[str, Any]:
        key = f"family-{family:03}-{document['key']}"
        return {**document, "key": key, "when": self._renamed(document["when"], family)}

    def _renamed(self, condition: Mapping[str, Any], family: int) -> dict[str, Any]:
        return {key: self._renamed_part(key, value, family) for key, value in condition.items()}

    def _renamed_part(self, key: str, value: Any, family: int) -> Any:
        if key in {"did", "did_not", "latest", "first"}:
            named = self._events if value == "*" else [value] if isinstance(value, str) else value
            own = [_own(name, family) for name in named]
            return own[0] if isinstance(value, str) and value != "*" else own
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._renamed(part, family) for part in value]
        return self._renamed(value, family) if key in {"not", "sequence"} else value


def _own(name: str, family: int) -> str:
    return f"{name} {family}"
