"""The kernel engine: a conductor and its crew of real clients, balancers and backends."""
