"""The plan: beams, energy layers and spots; placement, files and DICOM RT Ion Plan."""
