"""Results folders: their layout, writing one while it happens, and reading them back."""
