"""Which source port is taken next: every algorithm that systems use, pure and seeded."""
