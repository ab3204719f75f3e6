"""Shown to people: the terminal."""
