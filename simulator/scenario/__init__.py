"""The scenario as a checked, frozen value, and the bounded reader of scenario files."""
