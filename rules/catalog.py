"""All the segments in force, indexed by what they read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from rules.definitions import Definitions
from rules.event import Event
from rules.features import Feature, Fold, Source, TraitValue, guard_of
from rules.fields import ANY_EVENT
from rules.layers import units_of
from rules.numbering import Numbering
from rules.panel import MOST_IN_ONE, Panel, ordered
from rules.program import Draft, Program

MOST_PANELS = 256
"""How many combinations of filters that an event passed are kept ready, per event name."""

MOST_PREPARED = 30_000
"""How many conditions are made ready before the first event: half a second of a start at most."""

Programs = tuple[Program, ...]
Folds = list[tuple[Fold, int, int]]
"""Each with the number and the capacity of its feature's state."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event of some sources does: what it is folded into, and which segments may follow."""

    guard: Callable[[Event], bool] | None
    """Whether an event is one of theirs; None: all are."""
    folds: Folds
    programs: Programs
    tells_change: bool
    """Whether the folds tell if a segment may follow."""


class Touch:
    """What events of one name do: which features they change, and which segments may follow.

    The latest device of a contact is the same as before, as a rule: so most events can move none of the segments that
    ask for it, and do not judge them.
    """

    __slots__ = ("_always", "_groups", "_guarded", "_panels", "_plain", "_telling", "_told", "_usual")

    def __init__(self, effects: Sequence[Effect]) -> None:
        always = [effect for effect in effects if effect.guard is None]
        self._always = tuple(fold for effect in always if not effect.tells_change for fold in effect.folds)
        self._telling = tuple(fold for effect in always if effect.tells_change for fold in effect.folds)
        self._guarded = [(effect.guard, effect.folds) for effect in effects if effect.guard is not None]
        self._plain = [program for effect in always if not effect.tells_change for program in effect.programs]
        self._groups = [effect.programs for effect in effects if effect.guard is not None]
        """Those of each bit of what an event was taken into: one for each guard, then one for all that tell."""
        self._groups.append(
            tuple(program for effect in always if effect.tells_change for program in effect.programs)
        )
        self._told = 1 << len(self._guarded)
        self._usual = Panel(self._plain)
        """Of events that are taken into nothing of these."""
        self._panels: dict[int, Panel] = {}

    def prepare(self) -> int:
        """Makes now what gives the verdicts of usual events; returns how many conditions that has."""
        count = self._usual.prepare()
        if 0 < len(self._groups[-1]) <= MOST_IN_ONE:
            count += self._panel(self._told).prepare()
        return count

    def fold(self, features: dict[int, Any], event: Event) -> Panel:
        """Takes an event into a contact's features and returns the segments to judge."""
        for fold, number, capacity in self._always:
            fold(features, event, number, capacity)
        taken = 0
        for fold, number, capacity in self._telling:
            if fold(features, event, number, capacity):
                taken = self._told
        if self._guarded:
            taken |= self._fold_guarded(features, event)
        if not taken:
            return self._usual
        panel = self._panels.get(taken)
        return self._panel(taken) if panel is None else panel

    def _fold_guarded(self, features: dict[int, Any], event: Event) -> int:
        taken = 0
        for place, (guard, folds) in enumerate(self._guarded):
            if guard(event):
                taken |= 1 << place
                for fold, number, capacity in folds:
                    fold(features, event, number, capacity)
        return taken

    def _panel(self, taken: int) -> Panel:
        chosen = [programs for place, programs in enumerate(self._groups) if taken >> place & 1]
        panel = Panel(program for group in [self._plain, *chosen] for program in group)
        if len(self._panels) < MOST_PANELS:
            self._panels[taken] = panel
        return panel


class Blueprint:
    """Segments whose leaves are compiled; it tells which features they need before these have numbers."""

    def __init__(self, definitions: Definitions) -> None:
        self.drafts = [
            Draft(segment) for segment in sorted(definitions.segments, key=lambda segment: segment.key)
        ]
        self.units = units_of(definitions.segments, definitions.groups)
        """In the order in which they are judged."""
        self.features: dict[str, Feature] = {}
        self.capacities: dict[str, int] = {}
        self._timed = set[str]()
        for leaf in (leaf for draft in self.drafts for leaf in draft.leaves):
            if leaf.feature is not None:
                key = leaf.feature.key
                self.features.setdefault(key, leaf.feature)
                self.capacities[key] = max(self.capacities.get(key, 0), leaf.capacity)
                if leaf.reads_time:
                    self._timed.add(key)

    def tells_change(self, feature: Feature) -> bool:
        """Whether what is folded into it tells if any verdict can be another than before."""
        return feature.tells_change and feature.key not in self._timed

    @property
    def segment_keys(self) -> list[str]:
        return [draft.segment.key for draft in self.drafts]

    def local_numbering(self) -> Numbering:
        """Numbers for a run whose records nobody else reads."""
        return Numbering(
            {key: number for number, key in enumerate(self.features)},
            {key: number for number, key in enumerate(self.segment_keys)},
        )

    def catalog(self, numbering: Numbering | None = None) -> "Catalog":
        """The catalog under the given numbers; without any, under local ones."""
        return Catalog(self, numbering or self.local_numbering())


class Catalog:
    """The programs of all segments and the way from an event to those that it can touch."""

    def __init__(self, blueprint: Blueprint, numbering: Numbering) -> None:
        drafts = {draft.segment.key: draft for draft in blueprint.drafts}
        place = count()
        self.units: tuple[Programs, ...] = tuple(
            tuple(drafts[key].program(numbering, unit, number, next(place)) for key in unit.segments)
            for number, unit in enumerate(blueprint.units)
        )
        """What is judged as one, in the order in which it is judged."""
        self.programs: Programs = tuple(program for unit in self.units for program in unit)
        self.is_flat = all(program.policy is None and not program.names for program in self.programs)
        """Whether every membership follows its own verdict at once."""
        self.followers = {
            numbering.segments[named]: tuple(program for program in self.programs if named in program.names)
            for named in {named for program in self.programs for named in program.names}
        }
        """The programs that read the membership of a segment, by its number."""
        self.by_number = {program.number: program for program in self.programs}
        self.newcomers = Panel(program for program in self.programs if program.reads_newcomers)
        """The segments that a contact can be in, or come to be in, before it has any feature."""
        self.feature_numbers = frozenset(numbering.features[key] for key in blueprint.features)
        self.limits = [limit for f in blueprint.features.values() if (limit := f.limited) is not None]
        """Of the features that can become inexact."""
        self._numbering, self._blueprint = numbering, blueprint
        self._readers = self._index_readers()
        self._traits = self._index_traits()
        self._trait_panels: dict[frozenset[str], Panel] = {}
        self._touches = self._index_names()
        self._any_touch = self._touches.get(ANY_EVENT, Touch([]))

    def prepare(self) -> None:
        """Makes now what gives the verdicts of usual events, and not when the first of them comes. A condition takes some
        15 us for each event that it listens to; beyond ``MOST_PREPARED`` of them, events make the rest after all."""
        left = MOST_PREPARED
        for touch in self._touches.values():
            left -= touch.prepare()
            if left <= 0:
                break

    def fold(self, features: dict[int, Any], event: Event) -> Panel:
        """Takes an event into a contact's features; returns the segments that it can touch."""
        if event.kind == "identify":
            return self._fold_traits(features, event)
        return self._touches.get(event.name, self._any_touch).fold(features, event)

    def _fold_traits(self, features: dict[int, Any], event: Event) -> Panel:
        touched = {feature for name in event.traits for feature in self._traits.get(name, ())}
        for feature in touched:
            fold, number, capacity = self._fold_of(feature)
            fold(features, event, number, capacity)
        return self._trait_panel(frozenset(feature.key for feature in touched))

    def _trait_panel(self, keys: frozenset[str]) -> Panel:
        panel = self._trait_panels.get(keys)
        if panel is None:
            panel = Panel(program for key in keys for program in self._readers[key])
            if len(self._trait_panels) < MOST_PANELS:
                self._trait_panels[keys] = panel
        return panel

    def _index_readers(self) -> dict[str, Programs]:
        readers: dict[str, list[Program]] = {key: [] for key in self._blueprint.features}
        for program in self.programs:
            for leaf in program.leaves:
                if leaf.feature is not None:
                    readers[leaf.feature.key].append(program)
        return {key: ordered(programs) for key, programs in readers.items()}

    def _index_traits(self) -> dict[str, list[TraitValue]]:
        index: dict[str, list[TraitValue]] = {}
        for feature in self._blueprint.features.values():
            if isinstance(feature, TraitValue):
                for name in feature.names:
                    index.setdefault(name, []).append(feature)
        return index

    def _index_names(self) -> dict[str, Touch]:
        by_sources: dict[tuple[tuple[Source, ...], bool], list[Feature]] = {}
        for feature in self._blueprint.features.values():
            if feature.sources:
                # Behind a guard, what an event is taken into is told by that alone.
                tells = self._blueprint.tells_change(feature) and guard_of(feature.sources) is None
                by_sources.setdefault((feature.sources, tells), []).append(feature)
        heard = {sources: {name for source in sources for name in source.names} for sources, _ in by_sources}
        return {
            name: Touch(
                [
                    self._effect(sources, features, tells)
                    for (sources, tells), features in by_sources.items()
                    if name in heard[sources] or ANY_EVENT in heard[sources]
                ]
            )
            for name in set().union(*heard.values())
        }

    def _effect(self, sources: tuple[Source, ...], features: list[Feature], tells_change: bool) -> Effect:
        folds = [self._fold_of(feature) for feature in features]
        readers = ordered(program for feature in features for program in self._readers[feature.key])
        return Effect(guard_of(sources), folds, readers, tells_change)

    def _fold_of(self, feature: Feature) -> tuple[Fold, int, int]:
        key = feature.key
        return feature.fold(), self._numbering.features[key], self._blueprint.capacities[key]
