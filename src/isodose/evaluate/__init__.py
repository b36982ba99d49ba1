"""Figures of merit of a dose: DVH, gamma, conformity and Bragg-peak figures."""
