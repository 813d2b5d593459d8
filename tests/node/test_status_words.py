"""What a cell says of itself when its key is of no use any more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from node.status import _without_vote


def _parts(*, me: int | None, gave_up_key: bool) -> Any:  # noqa: ANN401 - only what is looked at
    return SimpleNamespace(
        consensus=SimpleNamespace(me=me),
        execution=SimpleNamespace(
            gave_up_key=gave_up_key,
        ),
    )


def test_a_copy_whose_key_was_given_up_elsewhere_says_so() -> None:
    assert "given up" in _without_vote(_parts(me=None, gave_up_key=True))


@pytest.mark.parametrize("gave_up_key", [False, True])
def test_a_member_says_nothing_of_it(gave_up_key: bool) -> None:  # noqa: FBT001 - a case
    assert _without_vote(_parts(me=2, gave_up_key=gave_up_key)) == ""
