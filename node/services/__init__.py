"""The services of a cell, each with a journal of its own."""
