"""The deterministic state machine that turns the agreed order into one replicated state."""
