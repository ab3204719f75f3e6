"""Portchurn: a load-balancer laboratory for dynamic ports.

The floors, from the ground up; each imports only those before it (docs/design.md says why):
words and numbers (errors, units, clock, seeds, records), ports, theory, scenario, balancing,
traffic, kernel, engine, live, measure, store, experiment, report, cli.
"""

__version__ = "0.1.0"
