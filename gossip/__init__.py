"""Gossip about gossip: the sync protocol and event creation, as pure state machines."""
