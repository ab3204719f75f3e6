"""How NATs hand out the ports of their addresses: one rule a file, and the vendors' numbers."""
