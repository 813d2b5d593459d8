"""Links of peers that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable

from gossip.wire import Frame


class SilentIntroducer:
    """Introduces nobody, and listens to nobody."""

    def introduce(self, *_: object) -> Iterable[Frame]:
        return ()

    async def take(self, *_: object) -> None:
        return None
