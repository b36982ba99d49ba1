"""Proton arcs: control points, spot counts, energy-layer selection, delivery time."""
