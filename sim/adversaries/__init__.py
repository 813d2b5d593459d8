"""Members that break the rules."""

ADVERSARIES: dict[str, object] = {}
