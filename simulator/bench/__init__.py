"""Measures portchurn's own parts beside their peers."""
