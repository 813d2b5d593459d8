"""The names under which the parts of a cell log."""

from __future__ import annotations

from typing import Final

COMPONENTS: Final = (
    "accuse",
    "assembly",
    "cell",
    "consensus",
    "content",
    "discovery",
    "divergence",
    "execution",
    "failpoints",
    "faults",
    "follows",
    "gateway",
    "hypha",
    "identity",
    "interactions",
    "invites",
    "keys",
    "libraries",
    "logs",
    "mdns",
    "messages",
    "peers",
    "repair",
    "seeds",
    "streams",
    "supervisor",
    "transfer",
    "upgrades",
)
"""`libraries` is what other people's libraries log, at `warning` and above."""
LEVELS: Final = ("debug", "info", "warning", "error")
