"""Objects of several kinds, told apart by a word in them: which other fields each kind has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.kinds import Wrong


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one kind."""

    needed: frozenset[str] = frozenset()
    possible: frozenset[str] = frozenset()


def fields(*needed: str, possible: Collection[str] = ()) -> Fields:
    """Return what one kind has."""
    return Fields(frozenset(needed), frozenset(possible))


class Variants:
    """A table of kinds by their words, which stand in the field `by`."""

    def __init__(self, by: str, kinds: Mapping[str, Fields]) -> None:
        self._by, self._kinds = by, kinds
        self._told = frozenset[str]().union(
            *(each.needed | each.possible for each in kinds.values())
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The words, in the order of the table."""
        return tuple(self._kinds)

    def check(self, word: str, given: Collection[str]) -> None:
        """Raise Wrong about the first given field that is too much, or that is not given."""
        kind, told = self._kinds[word], self._told & set(given)
        for name in sorted(told - kind.needed - kind.possible):
            raise Wrong(f"does not belong to {word}", name)
        for name in sorted(kind.needed - told):
            raise Wrong("is needed", name)

    def schema(self, default: str | None = None) -> dict[str, Any]:
        """Return the same as JSON Schema, to be added to that of the object."""
        return {"oneOf": [self._one(word, kind, default) for word, kind in self._kinds.items()]}

    def _one(self, word: str, kind: Fields, default: str | None) -> dict[str, Any]:
        needed = sorted(kind.needed | (set() if word == default else {self._by}))
        no: dict[str, Any] = dict.fromkeys(sorted(self._told - kind.needed - kind.possible), False)
        return {"properties": {self._by: {"const": word}, **no}, "required": needed}
