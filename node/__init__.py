"""The daemon: one asyncio process per cell that joins transport, journal, hashgraph and ledger."""
