"""The model engine: the same plan without a socket, in exact order of events."""
