"""What a person who started the cell sees of a transfer: a bar on a terminal, else a few lines."""

from __future__ import annotations

from typing import Final, TextIO

from node.transfer_fetching import CatchingUp

_WIDTH: Final = 30
_STEP_PERCENT: Final = 10
_PACE_S_MIN: Final = 0.2
"""A shorter transfer has no rate worth telling."""


def progress_words(state: CatchingUp) -> str:
    """Return in words how far a transfer has come."""
    progress = state.progress
    if progress is None:
        return (
            f"catching up with epoch {state.epoch_ahead}: asking {state.peers} cells for its seal"
        )
    parts = [
        f"fetching the end of epoch {progress.epoch}: {percent_of(state)} %",
        f"{progress.pieces} pieces, {_size(progress.size_bytes)} from {state.peers} cells",
    ]
    if state.elapsed_s > _PACE_S_MIN:
        parts.append(f"{_size(round(state.size_bytes / state.elapsed_s))}/s")
    left_s = _left_s(state)
    if left_s is not None:
        parts.append(f"{left_s} s left")
    return ", ".join(parts)


def percent_of(state: CatchingUp) -> int:
    """Return how much is done, in percent."""
    return 0 if state.progress is None else int(100 * state.progress.done)


class ProgressTeller:
    """Tells one transfer after the other to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._told_percent = -1

    def tell(self, state: CatchingUp) -> None:
        """Show how far a transfer has come."""
        percent = percent_of(state)
        if self._is_terminal:
            filled = _WIDTH * percent // 100
            bar = "#" * filled + "-" * (_WIDTH - filled)
            self._stream.write(f"\r\x1b[K[{bar}] {progress_words(state)}")
            if percent == 100:
                self._stream.write("\n")
            self._stream.flush()
            return
        if percent < self._told_percent:
            self._told_percent = -1  # another transfer
        step = percent - percent % _STEP_PERCENT
        if step > self._told_percent:
            self._told_percent = step
            self._stream.write(progress_words(state) + "\n")
            self._stream.flush()


def _left_s(state: CatchingUp) -> int | None:
    """Return about how long it goes on at the pace so far."""
    done = 0.0 if state.progress is None else state.progress.done
    if done <= 0 or done >= 1 or state.elapsed_s < _PACE_S_MIN:
        return None
    return round(state.elapsed_s * (1 - done) / done)


def _size(size_bytes: int) -> str:
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.0f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"
