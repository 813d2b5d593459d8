"""Two maps that differ anywhere lead to a key by which they do, in few steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ledger.map_difference import Comparison
from ledger.map_proof import Opened
from ledger.prover import Fetch, prove_keys
from ledger.tree import Snapshot
from tests.ledger.map_world import fetcher, map_of, some_keys

_KEYS = st.binary(min_size=1, max_size=3)
_STATES = st.dictionaries(_KEYS, st.binary(max_size=2), max_size=40)


def _search(theirs: Mapping[bytes, bytes], ours: Mapping[bytes, bytes]) -> tuple[bytes | None, int]:
    """Return the key that was found, and how many were asked for."""
    return _compared([(map_of(state), fetcher(state)) for state in (theirs, ours)])


def _compared(maps: Sequence[tuple[Snapshot, Fetch]]) -> tuple[bytes | None, int]:
    comparison, steps = Comparison(), 0
    while (key := comparison.key) is not None:
        proofs = [Opened(prove_keys(snapshot, [key], fetch)) for snapshot, fetch in maps]
        steps += 1
        if comparison.take(*proofs) is not None:
            return key, steps
    return None, steps


@given(_STATES, _STATES)
def test_whatever_differs_leads_to_a_key_that_does_and_equal_maps_to_none(
    theirs: dict[bytes, bytes], ours: dict[bytes, bytes]
) -> None:
    found, _ = _search(theirs, ours)
    if theirs == ours:
        assert found is None
    else:
        assert found is not None
        assert theirs.get(found) != ours.get(found)


@given(_STATES, _KEYS, st.none() | st.binary(max_size=2))
def test_a_single_change_is_found(
    state: dict[bytes, bytes], key: bytes, value: bytes | None
) -> None:
    changed = {**state}
    changed.pop(key, None)
    if value is not None:
        changed[key] = value
    assert _search(state, changed)[0] == (None if state == changed else key)


def test_among_20_000_keys_one_is_found_in_some_twenty_steps() -> None:
    random = Random(20261126)  # noqa: S311 - a test
    state = dict.fromkeys(some_keys(random, 20_000), b"v")
    keys = sorted(state)
    one = map_of(state)
    for _ in range(5):
        key = random.choice(keys)
        for value in (b"w", None):
            fork = one.fork()
            fork.update([(key, value)])
            changed = {k: v for k, v in {**state, key: value}.items() if v is not None}
            both = [(one, fetcher(state)), (fork.present(), fetcher(changed))]
            for pair in (both, both[::-1]):
                found, steps = _compared(pair)
                assert found == key
                assert steps <= 40
