"""Facts and rules about ports, without a socket: ranges, selection, budgets, leases."""
