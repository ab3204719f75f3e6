"""The rules by which a backend is picked, one file each."""
