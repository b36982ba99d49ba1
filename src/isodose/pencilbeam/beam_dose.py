"""Dose of a beam on voxels, and its adjoint: the two directions of one linear operator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isodose.patient.grid import Grid
from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.fan_sampling import add_to_voxels, seen_by_fan
from isodose.pencilbeam.stations import Station
from isodose.pencilbeam.superposition import active_layers, adjoint, forward
from isodose.pencilbeam.threads import over_chunks

Particles = list[NDArray[np.float64]]
"""Particles of the spots of each layer of a beam, in its order."""


class HostSums:
    """Volumes in memory to which beams are added.

    Parameters
    ----------
    channels
        Dose to water, and its products with further quantities.
    grid, inside
        Voxels of the dose, and which of them count, ``[z, y, x]``.
    threads
        Number of threads.
    """

    def __init__(self, channels: int, grid: Grid, inside: NDArray[np.bool_], threads: int) -> None:
        self._grid, self._inside, self._threads = grid, inside, threads
        self._sums = np.zeros((channels, *grid.shape), dtype=np.float32)

    def add(self, view: BeamView, particles: Particles | None = None) -> None:
        """Add the dose of a beam, of its own or other weights of its spots."""
        add_beam_dose(view, self._grid, self._inside, self._sums, self._threads, particles)

    def volumes(self) -> NDArray[np.float32]:
        """Sums of the beams so far, Gy, float32 ``(channels, z, y, x)``."""
        return self._sums


def add_beam_dose(
    view: BeamView,
    grid: Grid,
    inside: NDArray[np.bool_],
    sums: NDArray[np.float32],
    threads: int,
    particles: Particles | None = None,
) -> None:
    """Add the dose to water of a beam, and its products with further quantities, to volumes.

    Parameters
    ----------
    view
        The beam.
    grid, inside
        Voxels of the dose, and which of them count, ``[z, y, x]``.
    sums
        Is added to, Gy, float32 ``(1 + channels, z, y, x)``.
    threads
        Number of threads.
    particles
        Weights of the spots, the beam's own by default.
    """
    values = np.zeros((sums.shape[0], view.fan.planes, *view.fan.shape), dtype=np.float32)

    def work(begin: int, end: int) -> None:
        for station in view.stations[begin:end]:
            fluence = view.fluence(station, particles)
            active = active_layers(fluence)
            forward(view.superposition, fluence, active, values, station.begin, station.end)

    over_chunks(work, len(view.stations), threads, pieces=len(view.stations))
    add_to_voxels(view.fan, values, grid, inside, sums, threads)


def seen_by_beam(
    view: BeamView, grid: Grid, inside: NDArray[np.bool_], volumes: NDArray[np.float32], threads: int
) -> Particles:
    """Adjoint of `add_beam_dose`: derivative by the particles of each spot of a sum of dose times volumes.

    Parameters
    ----------
    view, grid, inside, threads
        As there.
    volumes
        By which the dose and each product are multiplied, float32 ``(1 + channels, z, y, x)``.

    Returns
    -------
    list
        Per particle, by layer of the beam.
    """
    image = seen_by_fan(view.fan, volumes, grid, inside)
    ones = [np.ones(len(layer.spots)) for layer in view.beam.layers]
    result = [np.zeros(len(layer.spots)) for layer in view.beam.layers]
    for station in view.stations:
        active = active_layers(view.fluence(station, ones))
        seen = _adjoint(view, station, image, active, threads)
        for total, part in zip(result, view.seen_by_spots(station, seen), strict=True):
            total += part
    return result


def _adjoint(
    view: BeamView, station: Station, image: NDArray[np.float32], active: NDArray[np.int32], threads: int
) -> NDArray[np.float32]:
    parts = [np.zeros((view.rays.size, len(view.order)), dtype=np.float32) for _ in range(threads)]
    planes = station.end - station.begin
    edges = [station.begin + planes * i // threads for i in range(threads + 1)]

    def work(begin: int, end: int) -> None:
        for i in range(begin, end):
            adjoint(view.superposition, image, active, parts[i], edges[i], edges[i + 1])

    over_chunks(work, threads, threads, pieces=1)
    return np.asarray(np.sum(parts, axis=0, dtype=np.float32))
