"""What is wrong with a cell, found by looking: at its directory, and from inside while it runs."""

from __future__ import annotations

from node.doctor.examination import examine
from node.doctor.patient import Patient

__all__ = ["Patient", "examine"]
