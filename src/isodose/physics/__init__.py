"""Particle species, materials and interaction data: pure functions and tables, numba-compiled where hot."""
