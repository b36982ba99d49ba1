"""Treatment machines: energies, spot optics, nozzle and monitor calibration."""
