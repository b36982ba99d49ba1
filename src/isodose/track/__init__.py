"""Track-structure Monte Carlo at nanometre scale, clustering, and the nanodosimetric database."""
