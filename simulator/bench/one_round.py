"""One round of a bench in a process of its own: `python -m simulator.bench.one_round JSON`.

A fresh process has no namespace, heap or cache of an earlier round; what it prints last is the
round's values as one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

from simulator.bench import catalogue
from simulator.kernel.namespace import die_with_parent


def main() -> None:
    """Read bench, subject and options from the command line, write the values."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    values = catalogue.measure(given["bench"], given["subject"], given["options"])
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()
    os._exit(0)  # what the round held is the kernel's to clear away


if __name__ == "__main__":
    main()
