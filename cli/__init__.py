"""The `myceld` command: talks to a cell through its gateway, and starts daemons."""
