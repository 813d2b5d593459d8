"""The stages of a cell as pure state machines; their owner tasks are one folder up."""
