"""Tests of the hypha."""
