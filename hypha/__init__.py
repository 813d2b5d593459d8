"""A hypha: a cell that keeps only heads, and believes nothing but what it has verified."""
