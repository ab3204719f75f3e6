"""Tests; a package of their own name, since a library that installs `tests` would hide them."""
