"""Replication of a journal: another cell keeps a checked copy of it, and can serve that too."""
