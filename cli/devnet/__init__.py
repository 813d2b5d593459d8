"""`myceld devnet`: a local network in which every cell is a process of its own."""
