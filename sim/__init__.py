"""The simulator: whole cells in one process on virtual time, network and disk, from one seed."""
