"""Answers about proofs. Made by scripts/docs-client: change nothing here."""

from __future__ import annotations

from typing import TypedDict


class ProofFileView(TypedDict):
    """A proof file."""

    about: str
    """`receipt`, `state`, `range`, `header` or `roster`."""
    certified_round: int
    """The round that was signed."""
    proof: str
    """The text of the file, for `ledger.verify` and `myceld verify`."""
    round: int
    """The round at which it is true."""
    steps: int
    """Changes of members that it leads through."""
