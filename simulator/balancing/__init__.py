"""Which backend gets the next connection: pure rules, no socket and no clock."""
