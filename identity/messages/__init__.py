"""Messages between cells: what one is, how it is sealed, proven, delivered once and in order."""
