"""Condensed-history Monte Carlo of ions in matter, and its scorers."""
