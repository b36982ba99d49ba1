"""Dose on a CUDA device: beams are prepared on the host, and summed up where they are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from isodose.errors import InputError
from isodose.patient.grid import Grid
from isodose.pencilbeam import cuda_kernels as kernels
from isodose.pencilbeam.beam_dose import Particles
from isodose.pencilbeam.beam_view import BeamView
from isodose.pencilbeam.fan_sampling import geometry_of
from isodose.pencilbeam.stations import Station
from isodose.pencilbeam.superposition import active_layers

_BATCH_BYTES = 2**28
"""Room for widths of the planes that are computed together."""
_BLOCK = (64, 4)
_LINE = 256


class DeviceSums:
    """Volumes on the device to which beams are added; they come back when all are.

    Parameters
    ----------
    channels
        Dose to water, and its products with further quantities.
    grid, inside
        Voxels of the dose, and which of them count, ``[z, y, x]``.

    Raises
    ------
    InputError
        If there is no CUDA device; it says what is missing.
    """

    def __init__(self, channels: int, grid: Grid, inside: NDArray[np.bool_]) -> None:
        if not cuda.is_available():  # type: ignore[no-untyped-call]
            error = cuda.cuda_error()  # type: ignore[no-untyped-call]
            reason = " ".join(str(error or "no device").split())
            raise InputError("device", f"'cuda' without a usable CUDA device ({reason})", "'cpu'")
        self._grid = grid
        self._inside = cuda.to_device(inside)
        self._sums = cuda.to_device(np.zeros((channels, *grid.shape), dtype=np.float32))

    def add(self, view: BeamView, particles: Particles | None = None) -> None:
        """Add the dose to water of a beam; parameters as of `isodose.pencilbeam.beam_dose.add_beam_dose`."""
        shape = (self._sums.shape[0], view.fan.planes, *view.fan.shape)
        values = cuda.device_array(shape, dtype=np.float32)
        beam = _BeamOnDevice(view, self._sums.shape[0])
        for station in view.stations:
            beam.superpose(station, view.fluence(station, particles), values)
        frame, distance, lattice, origin, spacing = geometry_of(view.fan, self._grid)
        blocks = -(-self._grid.size // _LINE)
        kernels.gather[blocks, _LINE](
            cuda.to_device(frame),
            distance,
            lattice,
            tuple(origin),
            tuple(spacing),
            values,
            self._inside,
            self._sums,
        )

    def volumes(self) -> NDArray[np.float32]:
        """Sums of the beams so far, float32 ``(channels, z, y, x)``."""
        return np.asarray(self._sums.copy_to_host())


class _BeamOnDevice:
    """Arrays of a beam, and room for a batch of its planes."""

    def __init__(self, view: BeamView, channels: int) -> None:
        arrays = view.superposition
        self._fan, self._offsets, self._level = view.fan, arrays.offsets, arrays.level
        self._taps, self._lookup_scale = arrays.taps, np.float32(arrays.lookup_scale)
        nv, nu = view.fan.shape
        per_plane = 4 * channels * (int(arrays.offsets[-1]) + 2 * nv * nu)
        self._batch = int(np.clip(_BATCH_BYTES // per_plane, 1, view.fan.planes))
        names = ("cell", "depth", "excess", "air", "first_layer", "node", "columns", "variance")
        rays = [cuda.to_device(getattr(arrays, name)) for name in names]
        per_rung = np.float32(1.0) / np.diff(arrays.variance)
        ladder = [cuda.to_device(a) for a in (per_rung, arrays.level, arrays.lookup)]
        self._tables = (*rays, *ladder, self._lookup_scale, cuda.to_device(arrays.offsets), nu)
        self._kernel_u, self._kernel_v = cuda.to_device(arrays.kernel_u), cuda.to_device(arrays.kernel_v)
        self._scale = cuda.to_device(arrays.scale)
        self._widths = cuda.device_array((self._batch, channels, int(arrays.offsets[-1])), dtype=np.float32)
        self._half = cuda.device_array((self._batch, channels, nv * nu), dtype=np.float32)
        self._done = cuda.device_array((self._batch, channels, nv * nu), dtype=np.float32)

    def superpose(self, station: Station, fluence: NDArray[np.float32], values: Any) -> None:
        """Write the dose of a stretch of the beam to the fan ``(channels, planes, nv, nu)`` on the device."""
        rays, images = fluence.shape[0], self._batch * self._widths.shape[1]
        on_device = cuda.to_device(fluence), cuda.to_device(active_layers(fluence))
        nv, nu = self._fan.shape
        for begin in range(station.begin, station.end, self._batch):
            count = min(self._batch, station.end - begin)
            kernels.clear[_blocks(self._widths.shape[2], images), _BLOCK](self._widths)
            kernels.deposit[_blocks(rays, count), _BLOCK](
                *self._tables, *on_device, begin, count, self._widths
            )
            self._spread_down(begin, count)
            kernels.finish[_blocks(nv * nu, images), _BLOCK](self._widths, begin, count, self._scale, values)

    def _spread_down(self, begin: int, count: int) -> None:
        """As `isodose.pencilbeam.widths.spread_down`, for a batch of planes."""
        nv, nu = self._fan.shape
        widths = self._widths[:count]
        images = count * widths.shape[1]
        for k in range(self._level.size - 1, 0, -1):
            level, below = int(self._level[k]), int(self._level[k - 1])
            ny, nx, taps = nv >> level, nu >> level, int(self._taps[k])
            blocks = _blocks(ny * nx, images)
            kernels.smooth_along_u[blocks, _BLOCK](
                widths, int(self._offsets[k]), ny, nx, self._kernel_u, begin, k, taps, self._half
            )
            kernels.smooth_along_v[blocks, _BLOCK](
                self._half[:count], ny, nx, self._kernel_v, begin, k, taps, self._done
            )
            ny, nx = nv >> below, nu >> below
            kernels.add_below[_blocks(ny * nx, images), _BLOCK](
                self._done, ny, nx, below != level, int(self._offsets[k - 1]), widths
            )


def _blocks(cells: int, images: int) -> tuple[int, int]:
    return -(-cells // _BLOCK[0]), -(-images // _BLOCK[1])
