"""What became of those who came to a gateway, counted since it began."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Comings:
    """Counts, but for `waiting`."""

    taken_in: int = 0
    """Connections that were listened to."""
    closed: int = 0
    """Those that were closed as they came: too many of one address."""
    begun: int = 0
    """TLS handshakes."""
    done: int = 0
    """Those that came to their end."""
    waiting: int = 0
    """Connections that wait for their TLS handshake now."""
