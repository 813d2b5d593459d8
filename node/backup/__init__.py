"""Backups of a cell: made while it runs, checked, restored, moved to another machine."""
