"""What the shop sells. Simple on purpose: a table in memory, read at start, and queries on it."""
