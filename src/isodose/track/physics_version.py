"""The number of the track-structure physics, by which databases are told apart."""

from __future__ import annotations

PHYSICS_VERSION = 3
"""Raised with any change that alters a track: cross-sections, parameters, angles, sampling, clustering.

``tests/track/test_physics_version.py`` fails where tables or tracks change and this number does not.
"""
