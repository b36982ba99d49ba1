"""Influence matrices: one column a spot, with spots split over rays or not."""
