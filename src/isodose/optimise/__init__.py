"""Spot weights from objectives: what a plan is to reach, in which scenarios, and the solver."""
