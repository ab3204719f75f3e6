"""Pages of one HTML file that needs no network: charts, tables and words around them."""
