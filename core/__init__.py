"""Values that every package shares: errors, canonical codec, identifiers, limits."""
