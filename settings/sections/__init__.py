"""The sections of a cell's configuration, one a file."""
