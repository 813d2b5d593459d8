"""Section `state`: how much of the state's past is kept."""

from __future__ import annotations

from dataclasses import dataclass

from settings.keys import key
from settings.limits import HISTORY_ROUNDS_MAX


@dataclass(frozen=True, slots=True)
class StateConfig:
    """The values of the section."""

    history_rounds: int | str = key(
        100_000,
        "of how many rounds the state can be told and proven, at least; `all` keeps everything"
        " since the cell has the state. A changed key costs its value before and some 100 bytes a"
        " round. Not less than since the end of the epoch before the last one: other cells catch"
        " up from there",
        unit="rounds",
        words=("all",),
        most=HISTORY_ROUNDS_MAX,
        reload=True,
    )

    @property
    def rounds_kept(self) -> int:
        """The number."""
        is_number = isinstance(self.history_rounds, int)
        return int(self.history_rounds) if is_number else HISTORY_ROUNDS_MAX
