"""Tests, in folders that mirror the packages. Imported by full name: `tests.journal.world`."""
