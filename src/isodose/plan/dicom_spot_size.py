"""How DICOM states the size of a scanned spot."""

from __future__ import annotations

import numpy as np

FWHM_PER_SIGMA = float(2.0 * np.sqrt(2.0 * np.log(2.0)))
"""Full width at half maximum, which DICOM gives, of a Gaussian of standard deviation 1."""

MACHINE_SIZE_TUNE, OWN_SIZE_TUNE = "default", "isodose measured"
"""Scan Spot Tune ID of layers with the machine's spot size, and of those with a size of their own."""
