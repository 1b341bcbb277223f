"""All the segments in force, indexed by what they read."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from rules.definitions import Definitions
from rules.event import Event
from rules.features import Feature, Fold, Source, TraitValue, guard_of
from rules.fields import ANY_EVENT
from rules.layers import units_of
from rules.numbering import Numbering
from rules.panel import Panel, ordered
from rules.program import Draft, Program

MOST_PANELS = 256
"""How many combinations of filters that an event passed are kept ready, per event name."""

Programs = tuple[Program, ...]


class Touch:
    """What events of one name do: which features they change, and which segments may follow."""

    def __init__(
        self, sources: Sequence[tuple[Callable[[Event], bool] | None, list[Fold], Programs]]
    ) -> None:
        self._always = [fold for guard, folds, _ in sources if guard is None for fold in folds]
        self._guarded = [(guard, folds, programs) for guard, folds, programs in sources if guard is not None]
        self._plain = [program for guard, _, programs in sources if guard is None for program in programs]
        self._panels: dict[int, Panel] = {0: Panel(self._plain)}

    def fold(self, features: dict[int, Any], event: Event) -> Panel:
        """Takes an event into a contact's features and returns the segments to judge."""
        for fold in self._always:
            fold(features, event)
        taken = 0
        for place, (guard, folds, _) in enumerate(self._guarded):
            if guard(event):
                taken |= 1 << place
                for fold in folds:
                    fold(features, event)
        panel = self._panels.get(taken)
        return self._panel(taken) if panel is None else panel

    def _panel(self, taken: int) -> Panel:
        chosen = [item[2] for place, item in enumerate(self._guarded) if taken >> place & 1]
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
        for leaf in (leaf for draft in self.drafts for leaf in draft.leaves):
            if leaf.feature is not None:
                key = leaf.feature.key
                self.features.setdefault(key, leaf.feature)
                self.capacities[key] = max(self.capacities.get(key, 0), leaf.capacity)

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

    def fold(self, features: dict[int, Any], event: Event) -> Panel:
        """Takes an event into a contact's features; returns the segments that it can touch."""
        if event.kind == "identify":
            return self._fold_traits(features, event)
        return self._touches.get(event.name, self._any_touch).fold(features, event)

    def _fold_traits(self, features: dict[int, Any], event: Event) -> Panel:
        touched = {feature for name in event.traits for feature in self._traits.get(name, ())}
        for feature in touched:
            feature.fold(self._numbering.features[feature.key])(features, event)
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
        by_sources: dict[tuple[Source, ...], list[Feature]] = {}
        for feature in self._blueprint.features.values():
            if feature.sources:
                by_sources.setdefault(feature.sources, []).append(feature)
        heard = {sources: {name for source in sources for name in source.names} for sources in by_sources}
        return {
            name: Touch(
                [
                    self._effect(sources, features)
                    for sources, features in by_sources.items()
                    if name in heard[sources] or ANY_EVENT in heard[sources]
                ]
            )
            for name in set().union(*heard.values())
        }

    def _effect(
        self, sources: tuple[Source, ...], features: list[Feature]
    ) -> tuple[Callable[[Event], bool] | None, list[Fold], Programs]:
        folds = [self._fold_of(feature) for feature in features]
        readers = ordered(program for feature in features for program in self._readers[feature.key])
        return guard_of(sources), folds, readers

    def _fold_of(self, feature: Feature) -> Fold:
        return feature.fold(self._numbering.features[feature.key], self._blueprint.capacities[feature.key])
