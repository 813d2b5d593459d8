"""A sample of what `scripts/fuzz` does at length: every decoder, a few hundred wrong inputs."""

from __future__ import annotations

import os
from typing import Final

import pytest

from core.errors import LocalMisuse, MyceldError
from tests.fuzz.judge import MEMORY_FACTOR, Report, fuzz, try_one
from tests.fuzz.mutations import Form, Mutator
from tests.fuzz.target import Target
from tests.fuzz.targets import all_targets

INPUTS: Final = int(os.environ.get("MYCELD_FUZZ_INPUTS", "400"))
SEED: Final = os.environ.get("MYCELD_FUZZ_SEED", "in every test run")


@pytest.mark.parametrize("target", all_targets(), ids=lambda target: target.name)
def test_only_declared_errors_come_out_and_what_is_read_is_written_the_same(target: Target) -> None:
    report = fuzz(target, SEED, INPUTS)
    assert report.failures == []
    assert report.inputs == INPUTS
    assert target.own or report.memory_ratio <= MEMORY_FACTOR


def test_the_same_seed_gives_the_same_inputs_and_another_gives_others() -> None:
    def inputs(seed: str) -> list[bytes]:
        mutator = Mutator(seed, [b"\x93\x01\x02\xc4\x01x"], Form.MSGPACK, size_bytes_max=4096)
        return [mutator.draw() for _ in range(200)]

    assert inputs("a") == inputs("a")
    assert inputs("a") != inputs("b")


def test_changes_reach_both_what_is_accepted_and_many_ways_of_refusing() -> None:
    (event,) = (target for target in all_targets() if target.name == "event")
    report = fuzz(event, "reach", 2000)
    assert report.accepted > 20
    assert len(report.refused) == len(event.errors) - 1  # a whole old event is not made by chance


class _Undeclared(LocalMisuse):
    code = "MYC-TEST-001"


@pytest.mark.parametrize("wrong", [KeyError, UnicodeError, RecursionError, _Undeclared])
def test_the_judge_notices_errors_that_are_not_declared(wrong: type[Exception]) -> None:
    def decode(data: bytes) -> bytes:
        raise wrong(str(data))

    assert len(_judged(Target(name="t", decode=decode, samples=(), errors=())).failures) == 1


def test_the_judge_notices_what_is_written_differently_and_what_takes_too_much() -> None:
    other = Target(name="t", decode=bytes, encode=lambda _: b"", samples=(), errors=())
    assert len(_judged(other).failures) == 1

    def greedy(data: bytes) -> bytes:
        held = bytearray(20 * len(data))
        raise _Undeclared(f"{len(held)} bytes")

    hungry = Target(name="t", decode=greedy, samples=(), errors=(_Undeclared,))
    assert _judged(hungry).memory_ratio > MEMORY_FACTOR


def _judged(target: Target) -> Report:
    assert all(issubclass(error, MyceldError) for error in target.errors)
    report = Report(target.name)
    try_one(target, b"x" * 100_000, report)
    return report
