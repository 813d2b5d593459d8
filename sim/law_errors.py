"""How the rules read once more say no."""

from __future__ import annotations


class Refused(Exception):
    """A transaction has no effect; its receipt has to say `code`, where the rule has one."""

    def __init__(self, why: str, code: str = "") -> None:
        super().__init__(why)
        self.code = code
