"""The only doors to the operating system: namespaces, settings, sockets and their table."""
