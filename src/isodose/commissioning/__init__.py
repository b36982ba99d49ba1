"""Commissioning: base data of machines from Monte Carlo - simulate, fit, validate."""
