"""Follow electrons in liquid water, interaction by interaction, with all their secondaries, to rest."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from isodose.physics.random import uniform
from isodose.track.electron_elastic import sample_lobes
from isodose.track.energy_grid import energy_bin, survival_bin
from isodose.track.events import EXCITATION, IONISATION, RESIDUAL, emit, full, push
from isodose.track.k_shell import AUGER_EV
from isodose.track.liquid_water import ELECTRON_REST_EV, SHELLS
from isodose.transport.direction import perpendicular

_SHELLS = len(SHELLS)
_K_SHELL = _SHELLS - 1
_SLOW_SECONDARY_EV = 50.0
_FAST_SECONDARY_EV = 200.0
_REST2 = 2.0 * ELECTRON_REST_EV


@njit(cache=True, error_model="numpy", inline="always")
def isotropic(stream):  # type: ignore[no-untyped-def]
    """Unit vector in a random direction."""
    cosine = 2.0 * uniform(stream) - 1.0
    azimuth = 2.0 * math.pi * uniform(stream)
    sine = math.sqrt(1.0 - cosine * cosine)
    return sine * math.cos(azimuth), sine * math.sin(azimuth), cosine


@njit(cache=True, error_model="numpy", inline="always")
def turned(ux, uy, uz, cosine, azimuth):  # type: ignore[no-untyped-def]
    """Unit vector at an angle to another."""
    sine = math.sqrt(max(1.0 - cosine * cosine, 0.0))
    a, b = sine * math.cos(azimuth), sine * math.sin(azimuth)
    px, py, pz, qx, qy, qz = perpendicular(ux, uy, uz)
    return a * px + b * qx + cosine * ux, a * py + b * qy + cosine * uy, a * pz + b * qz + cosine * uz


@njit(cache=True, error_model="numpy")
def secondary_cosine(energy_ev, secondary_ev, stream):  # type: ignore[no-untyped-def]
    """Cosine between a secondary electron and the electron that set it free.

    Isotropic below 50 eV; between 50 and 200 eV isotropic in a tenth of the cases, else between 45 and 90
    degrees; binary collision kinematics above (Grosswendt and Waibel, Nucl. Instrum. Methods 155 (1978) 145).
    """
    if secondary_ev < _SLOW_SECONDARY_EV:
        return 2.0 * uniform(stream) - 1.0
    if secondary_ev < _FAST_SECONDARY_EV:
        u = uniform(stream)
        return 20.0 * u - 1.0 if u < 0.1 else (u - 0.1) / 0.9 * math.sqrt(0.5)
    sine2 = (1.0 - secondary_ev / energy_ev) / (1.0 + secondary_ev / _REST2)
    return math.sqrt(max(1.0 - sine2, 0.0))


@njit(cache=True, error_model="numpy")
def sample_secondary(tables, shell, node, energy_ev, stream):  # type: ignore[no-untyped-def]
    """Energy of the electron that is set free from a shell, eV."""
    binding = tables.binding_ev[shell]
    row = tables.quantiles[shell, node]
    i, fraction = survival_bin(uniform(stream))
    reduced = row[i] + (row[i + 1] - row[i]) * fraction
    least = 2.0 / (energy_ev + binding)
    return max(1.0 / (least + reduced * (1.0 / binding - least)) - binding, 0.0)


@njit(cache=True, error_model="numpy")
def _ionise(shell, node, state, tables, stream, stack, sink):  # type: ignore[no-untyped-def]
    """Set an electron free, which is the next to be followed; the faster one waits on the stack.

    So the stack never holds more electrons than the energy can be halved, and one for each Auger electron.
    """
    x, y, z, ux, uy, uz, energy = state[0], state[1], state[2], state[3], state[4], state[5], state[6]
    binding = tables.binding_ev[shell]
    secondary = sample_secondary(tables, shell, node, energy, stream)
    cosine = secondary_cosine(energy, secondary, stream)
    vx, vy, vz = turned(ux, uy, uz, cosine, 2.0 * math.pi * uniform(stream))
    p = math.sqrt(energy * (energy + _REST2))
    s = math.sqrt(secondary * (secondary + _REST2))
    ax, ay, az = p * ux - s * vx, p * uy - s * vy, p * uz - s * vz
    scale = 1.0 / math.sqrt(ax * ax + ay * ay + az * az)
    deposit = binding
    if shell == _K_SHELL:
        deposit -= AUGER_EV
        wx, wy, wz = isotropic(stream)
        push(stack, x, y, z, wx, wy, wz, AUGER_EV)
    emit(sink, x, y, z, IONISATION, deposit)
    left = energy - binding - secondary
    if secondary > tables.rest_ev:
        push(stack, x, y, z, ax * scale, ay * scale, az * scale, left)
        state[3], state[4], state[5], state[6] = vx, vy, vz, secondary
    else:
        emit(sink, x, y, z, RESIDUAL, secondary)
        state[3], state[4], state[5], state[6] = ax * scale, ay * scale, az * scale, left


@njit(cache=True, error_model="numpy", inline="always")
def _draw_channel(row, stream):  # type: ignore[no-untyped-def]
    threshold = uniform(stream) * row[row.size - 1]
    channel = 0
    while row[channel] < threshold:
        channel += 1
    return channel


@njit(cache=True, error_model="numpy")
def _follow_one(state, tables, stream, stack, sink):  # type: ignore[no-untyped-def]
    """Follow one electron, or the last one that it sets free, to rest; False if the sink is full before."""
    while state[6] > tables.rest_ev:
        if full(sink):
            push(stack, state[0], state[1], state[2], state[3], state[4], state[5], state[6])
            return False
        energy = state[6]
        node, fraction = energy_bin(energy)
        upper = fraction * tables.total[node + 1]
        total = (1.0 - fraction) * tables.total[node] + upper
        step = -math.log(uniform(stream)) / total
        state[0] += step * state[3]
        state[1] += step * state[4]
        state[2] += step * state[5]
        if uniform(stream) * total < upper:
            node += 1
        channel = _draw_channel(tables.cumulative[node], stream)
        if channel == 0:
            sink.count[1] += 1
            cosine = sample_lobes(tables.lobes[node], stream)
            azimuth = 2.0 * math.pi * uniform(stream)
            state[3], state[4], state[5] = turned(state[3], state[4], state[5], cosine, azimuth)
        elif channel > _SHELLS:
            loss = tables.excitation_ev[channel - 1 - _SHELLS]
            if loss < energy:  # the upper node may have channels that are closed here
                emit(sink, state[0], state[1], state[2], EXCITATION, loss)
                state[6] = energy - loss
        elif tables.binding_ev[channel - 1] < energy:
            _ionise(channel - 1, node, state, tables, stream, stack, sink)
    emit(sink, state[0], state[1], state[2], RESIDUAL, state[6])
    return True


@njit(cache=True, error_model="numpy")
def follow_electrons(stack, tables, stream, sink):  # type: ignore[no-untyped-def]
    """Follow the electrons of a stack, with all their secondaries, to rest.

    Parameters
    ----------
    stack
        Electrons that wait (:class:`isodose.track.events.Stack`).
    tables
        :class:`isodose.track.electron_tables.ElectronTables`.
    stream
        Random stream (:mod:`isodose.physics.random`).
    sink
        Where interactions go (:class:`isodose.track.events.Sink`).

    Returns
    -------
    bool
        False if the sink is full: score it, clear it and call again. The interactions do not depend on the
        size of the sink.
    """
    state = np.empty(7)
    while stack.count[0] > 0:
        if full(sink):
            return False
        stack.count[0] -= 1
        state[:] = stack.states[stack.count[0]]
        if not _follow_one(state, tables, stream, stack, sink):
            return False
    return True
