"""Who a cell is: its key pair, and the file that keeps it."""
