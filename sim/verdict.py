"""What a run came to: clean, or what was found, and the numbers that go with it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that did not hold."""

    promise: str
    """A name in `docs/PROMISES.md`."""
    detail: str
    at_ms: int
    cell: int | None = None

    def __str__(self) -> str:
        where = "" if self.cell is None else f" at cell {self.cell}"
        return f"{self.promise}{where} after {self.at_ms / 1000:.3f} s: {self.detail}"


@dataclass(slots=True)
class Verdict:
    """The end of one run."""

    seed: int
    findings: list[Finding] = field(default_factory=list)
    digest: str = ""
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    rounds: int = 0
    epochs: int = 0
    transactions: int = 0
    """In the agreed order."""
    acknowledged: int = 0
    recovered_s: float | None = None
    """From the healing of the core until it had ordered something new and agreed."""
    outlook: str = ""
    """What became of a network whose rest can not go on without those that are down."""
    starts: int = 0
    jumps: int = 0
    rule_sets: list[int] = field(default_factory=list)
    """Of each epoch."""
    transaction_versions: list[int] = field(default_factory=list)
    """Of each epoch."""
    new_builds: int = 0
    """How often somebody installed one because the cell had stopped before an upgrade."""
    happenings: dict[str, int] = field(default_factory=dict)
    """How often each kind of fault struck."""
    lies: dict[str, int] = field(default_factory=dict)
    """What liars did, and what of it honest cells saw, by name."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
