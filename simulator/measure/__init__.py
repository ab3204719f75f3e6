"""From the records of a run to its summary: counts, times, causes, validity and the verdict."""
