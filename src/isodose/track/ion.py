"""An ion on its way through liquid water: a straight path, one interaction after the other.

The ion keeps its direction (multiple scattering turns a proton by some 0.3 degrees in 1 um at 1 MeV, by 3
degrees at 0.1 MeV; clusters hardly notice) and loses energy, if wanted, in each interaction. Elastic
collisions with nuclei are left out: they add more than some 5 % to the stopping power of carbon only below
10 keV/u. A captured electron leaves an ionised molecule, which counts as an ionisation.

The electrons that the ion frees go to a stack and are followed before it goes on, so that few of them wait.
Their angles are those of Geant4-DNA for ions: isotropic up to 100 eV, above as in a binary collision.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from isodose.physics.random import exponential, uniform
from isodose.track.dielectric import LOSS_EV, largest_transfer
from isodose.track.electron import follow_electrons, isotropic, turned
from isodose.track.events import EXCITATION, IONISATION, RESIDUAL, emit, full, push
from isodose.track.ion_tables import MINIMUM_ENERGY_MEV_U
from isodose.track.k_shell import AUGER_EV
from isodose.track.liquid_water import BINDING_EV, ELECTRON_REST_EV
from isodose.track.transfer_controls import CONTROLS

X, Y, Z, UX, UY, UZ, ENERGY_EV, ELECTRONS, PATH_LEFT_NM, FIRST_CONTROL = range(10)
"""Columns of an ion's state: place (nm), direction, energy (eV), electrons carried, path to go (nm), and the
first of the control variates that it gathers (:mod:`isodose.track.transfer_controls`)."""

ION_COLUMNS = FIRST_CONTROL + CONTROLS

_SHELLS = BINDING_EV.size
_KEEPING = LOSS_EV.size
_K_SHELL = _SHELLS - 1
_ISOTROPIC_EV = 100.0
_POWER_LAW_EV = 100.0
_STOP_EV_U = MINIMUM_ENERGY_MEV_U * 1e6


@njit(cache=True, error_model="numpy")
def start_ion(ion, tables, energy_ev_u, path_nm, stream):  # type: ignore[no-untyped-def]
    """Put an ion at the origin, flying along +z, in a charge state of the equilibrium at its energy."""
    ion[:] = 0.0
    ion[UZ] = 1.0
    ion[ENERGY_EV] = energy_ev_u * tables.nucleons
    ion[PATH_LEFT_NM] = path_nm
    step = tables.log_energy[1] - tables.log_energy[0]
    node = round((math.log(energy_ev_u) - tables.log_energy[0]) / step)
    share = tables.start_share[node]
    ion[ELECTRONS] = min(np.searchsorted(share, uniform(stream)), share.size - 1)


@njit(cache=True, error_model="numpy")
def follow_ion(ion, slowing, tables, electron_tables, stack, stream, sink):  # type: ignore[no-untyped-def]
    """Follow an ion and all electrons; return whether the track is complete.

    Where it is not, the sink is full: score its rows, clear it and call again.

    Parameters
    ----------
    ion
        State of the ion, ``[9]``, changed in place.
    slowing
        Whether the ion loses energy; else its energy stays that of the start.
    tables, electron_tables
        Interactions of the ion and of electrons.
    stack
        Electrons that wait.
    stream
        Random numbers of the track.
    sink
        Where interactions are written.
    """
    while True:
        if not follow_electrons(stack, electron_tables, stream, sink):
            return False
        if ion[PATH_LEFT_NM] <= 0.0:
            return True
        if full(sink):
            return False
        _fly_and_interact(ion, slowing, tables, stack, stream, sink)


@njit(cache=True, error_model="numpy")
def _fly_and_interact(ion, slowing, tables, stack, stream, sink):  # type: ignore[no-untyped-def]
    per_nucleon = ion[ENERGY_EV] / tables.nucleons
    if per_nucleon <= _STOP_EV_U:
        emit(sink, ion[X], ion[Y], ion[Z], RESIDUAL, ion[ENERGY_EV])
        ion[PATH_LEFT_NM] = 0.0
        return
    state = int(ion[ELECTRONS])
    place = (math.log(per_nucleon) - tables.log_energy[0]) / (tables.log_energy[1] - tables.log_energy[0])
    node = min(int(place), tables.log_energy.size - 2)
    above = place - node
    below_rate = (1.0 - above) * tables.cumulative[state, node, -1]
    rate = below_rate + above * tables.cumulative[state, node + 1, -1]
    distance = min(exponential(stream) / rate, ion[PATH_LEFT_NM])
    for c in range(CONTROLS):
        low, high = tables.control_rates[state, node, c], tables.control_rates[state, node + 1, c]
        ion[FIRST_CONTROL + c] -= distance * (low + above * (high - low))
    ion[X] += distance * ion[UX]
    ion[Y] += distance * ion[UY]
    ion[Z] += distance * ion[UZ]
    ion[PATH_LEFT_NM] -= distance
    if ion[PATH_LEFT_NM] <= 0.0:
        return
    if uniform(stream) * rate > below_rate:  # rates mix linearly, so either node may speak for both
        node += 1
    cumulative = tables.cumulative[state, node]
    channel = min(np.searchsorted(cumulative, uniform(stream) * cumulative[-1]), cumulative.size - 1)
    if channel < _SHELLS:
        loss = _ionise(ion, tables, state, node, channel, stack, stream, sink)
    elif channel < _KEEPING:
        loss = LOSS_EV[channel]
        emit(sink, ion[X], ion[Y], ion[Z], EXCITATION, loss)
    else:
        loss = _exchange(ion, tables, channel - _KEEPING, stack, stream, sink)
    if slowing:
        ion[ENERGY_EV] = max(ion[ENERGY_EV] - loss, 0.0)


@njit(cache=True, error_model="numpy")
def _ionise(ion, tables, state, node, shell, stack, stream, sink):  # type: ignore[no-untyped-def]
    """Free an electron of the water; return the energy that the ion loses, eV."""
    spectrum = tables.spectra[state, node, shell]
    chosen = uniform(stream)
    i = min(max(np.searchsorted(spectrum, chosen) - 1, 0), spectrum.size - 2)
    low, high = tables.transfer_ev[i], tables.transfer_ev[i + 1]
    for c in range(CONTROLS):
        ion[FIRST_CONTROL + c] += tables.control_weights[i, c]
    t = (chosen - spectrum[i]) / (spectrum[i + 1] - spectrum[i])
    transfer = low * high / (high - t * (high - low)) if low >= _POWER_LAW_EV else low + t * (high - low)
    transfer = min(transfer, ion[ENERGY_EV])
    electron = max(transfer - BINDING_EV[shell], 0.0)
    tau = ion[ENERGY_EV] / tables.rest_ev
    limit = largest_transfer(tau * (tau + 2.0) / (tau + 1.0) ** 2, tables.rest_ev)
    eject(ion, electron, limit, stack, stream)
    left = transfer - electron
    if shell == _K_SHELL:
        eject(ion, AUGER_EV, 0.0, stack, stream)
        left -= AUGER_EV
    emit(sink, ion[X], ion[Y], ion[Z], IONISATION, left)
    return transfer


@njit(cache=True, error_model="numpy")
def eject(ion, electron_ev, limit_ev, stack, stream):  # type: ignore[no-untyped-def]
    """Push an electron: isotropic if slow or if there is no limit, else as a free one that was hit."""
    if electron_ev <= _ISOTROPIC_EV or limit_ev <= 0.0:
        ux, uy, uz = isotropic(stream)
    else:
        m2 = 2.0 * ELECTRON_REST_EV
        cosine = math.sqrt(min(electron_ev / limit_ev * (limit_ev + m2) / (electron_ev + m2), 1.0))
        ux, uy, uz = turned(ion[UX], ion[UY], ion[UZ], cosine, 2.0 * math.pi * uniform(stream))
    push(stack, ion[X], ion[Y], ion[Z], ux, uy, uz, electron_ev)


@njit(cache=True, error_model="numpy")
def _exchange(ion, tables, target, stack, stream, sink):  # type: ignore[no-untyped-def]
    """Change the charge state; return the energy that the ion loses, eV.

    A captured electron comes from an ionised molecule and takes kinetic energy along; a lost one leaves with
    the ion's velocity and direction.
    """
    carried = int(ion[ELECTRONS])
    same_speed = ion[ENERGY_EV] / tables.rest_ev * ELECTRON_REST_EV
    ion[ELECTRONS] = target
    loss = 0.0
    for _ in range(target - carried):
        emit(sink, ion[X], ion[Y], ion[Z], IONISATION, BINDING_EV[0])
        loss += same_speed + BINDING_EV[0]
    for _ in range(carried - target):
        push(stack, ion[X], ion[Y], ion[Z], ion[UX], ion[UY], ion[UZ], same_speed)
    return loss
