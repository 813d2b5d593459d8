"""The simulator: whole cells on virtual time, network and disk, with all faults from one seed."""
