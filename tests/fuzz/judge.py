"""What every decoder promises, checked on one input after the other.

1. Only the errors that the table names come out.
2. What a canonical format decodes is encoded to the same bytes again.
3. Nothing takes more than TIME_MS_MAX of the processor to refuse; above 1 MiB, for each MiB.
4. Nothing takes more memory to refuse than MEMORY_FACTOR times the input, beyond `free_bytes`.

Time and memory are noted here and judged by the caller: a busy machine says nothing about time.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from core.errors import MyceldError
from tests.fuzz.mutations import Mutator
from tests.fuzz.target import REFUSED, Target

TIME_MS_MAX: Final = 10.0
MEMORY_FACTOR: Final = 8

_MIB: Final = 1 << 20
_MEASURED_EVERY: Final = 50
_LARGE_BYTES: Final = 8192
_SUSPICIOUS_MS: Final = 2.0
_AGAIN: Final = 5
_FAILURES_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that broke a promise."""

    data: bytes
    what: str


@dataclass(slots=True)
class Report:
    """What many inputs did to one decoder."""

    name: str
    own: bool = False
    inputs: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Refusals by code."""
    slowest_ms: float = 0.0
    """Of refusals; of inputs above 1 MiB, for each MiB."""
    slowest: bytes = b""
    memory_ratio: float = 0.0
    """Of refusals: memory beyond what is free, by the bytes of the input."""
    hungriest: bytes = b""
    failures: list[Failure] = field(default_factory=list)

    def failed(self, data: bytes, what: str) -> None:
        """Note a failure."""
        if len(self.failures) < _FAILURES_KEPT:
            self.failures.append(Failure(data, what))


def fuzz(target: Target, seed: str, count: int) -> Report:
    """Give a decoder `count` inputs."""
    report = Report(target.name, target.own)
    mutator = Mutator(
        f"{target.name}/{seed}", target.samples, target.form, size_bytes_max=target.size_bytes_max
    )
    for number in range(count):
        data = mutator.draw()
        if target.wrap is not None and number % 3:
            data = target.wrap(data)
        try_one(target, data, report, measured=number % _MEASURED_EVERY == 0)
    return report


def try_one(target: Target, data: bytes, report: Report, *, measured: bool = True) -> None:
    """Give a decoder one input and note what it did."""
    report.inputs += 1
    began = time.perf_counter()
    outcome = _outcome(target, data)
    took_ms = (time.perf_counter() - began) * 1000
    if isinstance(outcome, Failure):
        report.failed(data, outcome.what)
        return
    if outcome is None:
        report.accepted += 1
        return
    report.refused[outcome] += 1
    if took_ms > max(_SUSPICIOUS_MS, report.slowest_ms):
        took_ms = min(_processor_ms(target, data) for _ in range(_AGAIN))
    took_ms /= max(1, len(data) / _MIB)
    if took_ms > report.slowest_ms:
        report.slowest_ms, report.slowest = took_ms, data
    if measured or len(data) > _LARGE_BYTES or took_ms > _SUSPICIOUS_MS:
        ratio = _memory_ratio(target, data)
        if ratio > report.memory_ratio:  # once more: what is cached for good counts once
            ratio = min(ratio, _memory_ratio(target, data))
        if ratio > report.memory_ratio:
            report.memory_ratio, report.hungriest = ratio, data


def peak_bytes(target: Target, data: bytes) -> int:
    """Return the memory that one input takes at its peak, Python's own objects only."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        _outcome(target, data)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def _memory_ratio(target: Target, data: bytes) -> float:
    return (peak_bytes(target, data) - target.free_bytes) / max(1, len(data))


def _processor_ms(target: Target, data: bytes) -> float:
    gc.collect(0)
    began = time.process_time()
    _outcome(target, data)
    return (time.process_time() - began) * 1000


def _outcome(target: Target, data: bytes) -> Failure | str | None:
    """Return the code of the refusal, None if the input was accepted, or what went wrong."""
    try:
        found = target.decode(data)
    except MyceldError as error:
        if type(error) in target.errors:
            return error.code
        return Failure(
            data, f"{type(error).__name__} ({error.code}) is not declared: {error}"[:300]
        )
    except Exception as error:  # noqa: BLE001 - that nothing else comes out is what is tested
        return Failure(data, f"{type(error).__name__}: {error}"[:300])
    if found is REFUSED:
        return "refused"
    try:
        again = None if target.encode is None else target.encode(found)
    except Exception as error:  # noqa: BLE001 - as above
        return Failure(data, f"encoding it again: {type(error).__name__}: {error}"[:300])
    if again is not None and again != data:
        return Failure(data, f"is encoded as {again[:100].hex()}")
    return None
