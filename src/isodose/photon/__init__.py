"""Megavoltage photons: a pencil-beam engine for fields of bixels, and how its kernel was made."""
