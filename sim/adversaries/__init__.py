ADVERSARIES: dict[str, object] = {}
