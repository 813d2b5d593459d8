"""The fields of Celluler's section `cell` that a cell of ours does not have, each with why.

A configuration that was written for it is taken as far as both mean the same; everything else is
refused with its reason, because a switch that nothing reads is worse than none.
"""

from __future__ import annotations

from typing import Final

_LOCAL: Final = "there are no calls between services of several processes"

FOREIGN: Final = {
    "id": "a cell's id is its key, which `myceld init` makes",
    "namespace": "networks are apart by their genesis",
    "transporter": "cells are reached by `listen` and `bootstrap`",
    "services": "a cell runs all of its services",
    "performance": "bounds are fixed, but for those in section `storage`",
    "security": "everything is signed and encrypted always; who may what says section `trust`",
    "registry": "who belongs to a network, its ledger says",
    "circuitBreaker": _LOCAL,
    "bulkhead": _LOCAL,
    "metrics": "`/api/v1/metrics` is always there",
    "tracing": "there is none",
    "cacher": _LOCAL,
    "serializer": "all formats are fixed: others could not check signatures",
    "middlewares": _LOCAL,
}

NESTED: Final = {"logging": "logging"}
"""Sections inside of `cell` that are sections of their own here."""

MOVED: Final = {"log_level": ("logging", "level")}
"""Keys of `cell` from before they had another place; they are taken as that."""
