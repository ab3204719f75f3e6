"""Charts as values: built from stored results, then drawn as SVG or by a script in a page."""
