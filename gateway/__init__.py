"""HTTP gateway: how people and programs on this machine use a cell."""
