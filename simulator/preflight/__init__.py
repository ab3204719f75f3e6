"""Before anything runs: what a scenario creates, needs and hits, by arithmetic."""
