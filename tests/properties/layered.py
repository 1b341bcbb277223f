"""Random definitions whose segments name each other, exclude each other, and have policies."""

from typing import Any

from hypothesis import strategies as st

from tests.properties import definitions
from tests.properties.times import durations
from tests.reference.membership import named_in

Mapping = dict[str, Any]

some_policies: st.SearchStrategy[Mapping] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {}, optional={"enter_after": durations, "exit_after": durations, "cooldown": durations}
    ),
)


Catalog = tuple[list[Mapping], list[Mapping]]
"""The lists under ``segments:`` and ``groups:``."""


@st.composite
def catalogs(
    draw: st.DrawFn,
    leaves: st.SearchStrategy[Mapping] = definitions.leaves,
    policies: st.SearchStrategy[Mapping] = some_policies,
) -> Catalog:
    """Without a cycle; ``leaves``: what conditions are made of, besides references."""
    count = draw(st.integers(1, 5))
    # Names in any order, so that who is named does not follow who comes first.
    keys = draw(st.permutations([f"s{number}" for number in range(count)]))
    segments = [
        {"key": key, "when": draw(_condition(leaves, keys[:place])), **draw(policies)}
        for place, key in enumerate(keys)
    ]
    groups: list[Mapping] = []
    free = list(draw(st.permutations(keys)))
    for key in draw(st.lists(st.sampled_from(("a-group", "s-group", "z-group")), max_size=2, unique=True)):
        group = {"key": key, "exclusive": free[: draw(st.integers(1, 3))]}
        if group["exclusive"] and not _goes_round(segments, [*groups, group]):
            groups.append(group)
            free = free[len(group["exclusive"]) :]
    return segments, groups


def _condition(leaves: st.SearchStrategy[Mapping], named: list[str]) -> st.SearchStrategy[Mapping]:
    conditions = st.recursive(leaves, definitions.composed_of, max_leaves=5)
    if not named:
        return conditions
    reference = st.builds(
        lambda kind, key: {kind: key},
        st.sampled_from(("member_of", "member_of", "not_member_of")),
        st.sampled_from(named),
    )
    mixed = st.one_of(leaves, reference)
    return st.one_of(conditions, reference, st.recursive(mixed, definitions.composed_of, max_leaves=4))


def _goes_round(segments: list[Mapping], groups: list[Mapping]) -> bool:
    unit_of: dict[str, str] = {key: f"group {group['key']}" for group in groups for key in group["exclusive"]}
    names: dict[str, set[str]] = {}
    for segment in segments:
        key: str = segment["key"]
        found = {unit_of.get(name, name) for name in named_in(segment["when"])}
        names.setdefault(unit_of.get(key, key), set()).update(found)
    while leaves := {unit for unit, named in names.items() if not named & names.keys()}:
        names = {unit: named for unit, named in names.items() if unit not in leaves}
    return bool(names)


either = st.booleans().flatmap(
    lambda flat: definitions.segments.map(lambda segments: (segments, [])) if flat else catalogs()
)
"""Catalogs of which half have segments that know nothing of each other."""
