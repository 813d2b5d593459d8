"""How a running cell finds the others: its announcement, spores, seeds, mDNS, the DHT."""
