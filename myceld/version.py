"""The version of this distribution; the same as in pyproject.toml (a test compares them)."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""Semantic version."""

AGENT: Final = f"myceld/{VERSION}"
"""What cells of this version call themselves to others."""
