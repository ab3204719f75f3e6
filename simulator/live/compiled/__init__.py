"""The relay's data path as machine code: what Python need not see of a connection, it does not."""
