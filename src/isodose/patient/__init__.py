"""The patient: CT, structures and calibration on one grid; reading and writing; the built-in patients."""
