"""Cross-sections of ions: limits, independent numbers, smoothness."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.physics.materials import WATER
from isodose.physics.species import species
from isodose.physics.stopping import mass_stopping_power
from isodose.track.charge_exchange import equilibrium, exchange_rates, states
from isodose.track.dielectric import LOSS_EV, transfer_grid
from isodose.track.ion_spectra import JOIN_MEV_U, capture_loss_ev, ion_spectra, mean_transfers, share_of_born
from isodose.track.ion_tables import ION_NAMES, ion_tables
from isodose.track.liquid_water import BINDING_EV
from isodose.track.miller_green import excitation_rates
from isodose.track.rudd import hydrogen_factor, ionisation_spectrum


def beta_squared(energy_mev):
    tau = energy_mev / species("p").mass_mev
    return tau * (tau + 2.0) / (tau + 1.0) ** 2


@pytest.mark.physics
@pytest.mark.parametrize(("energy_mev", "path_nm"), [(1.0, 2.28), (10.0, 15.1), (100.0, 101.4)])
def test_rudd_gives_the_mean_free_path_of_another_implementation(energy_mev, path_nm):
    # Another program with Rudd's parameters; its thresholds are 0.1 to 1 eV higher, hence 3 %.
    grid = transfer_grid()
    total = np.trapezoid(ionisation_spectrum(beta_squared(energy_mev), grid), grid).sum()
    assert 1.0 / total == pytest.approx(path_nm, rel=0.03)


def test_rudd_starts_at_the_threshold_of_each_shell():
    grid = transfer_grid()
    spectra = ionisation_spectrum(beta_squared(1.0), grid)
    for shell, binding in enumerate(BINDING_EV):
        assert np.all(spectra[shell, grid < binding] == 0.0)
        assert np.all(spectra[shell, (grid >= binding) & (grid < 1000.0)] > 0.0)


def test_hydrogen_ionises_more_than_a_proton_when_slow():
    assert hydrogen_factor(1e3)[0] == pytest.approx(1.4, abs=0.06)
    assert hydrogen_factor(1e6)[0] == pytest.approx(0.9, abs=0.03)


def test_excitation_peaks_between_10_and_100_kev():
    energies = np.geomspace(1e3, 1e7, 200)
    total = [excitation_rates(float(e)).sum() for e in energies]
    assert 1e4 < energies[np.argmax(total)] < 1e5
    assert excitation_rates(5.0).sum() == 0.0
    assert excitation_rates(1e4, neutral=True).sum() < excitation_rates(1e4).sum()


@pytest.mark.physics
def test_equilibrium_of_hydrogen_and_helium():
    # Half of a hydrogen beam is neutral near 40 keV in water; helium carries one charge on average near
    # 80 keV/u (ICRU Report 49, figures of equilibrium fractions in light media).
    fractions = {e: equilibrium(exchange_rates(1, e))[1] for e in (2e4, 6e4, 1e6)}
    assert fractions[2e4] > 0.5 > fractions[6e4]
    assert fractions[1e6] < 1e-3
    charge = {e: equilibrium(exchange_rates(2, e)) @ [2.0, 1.0, 0.0] for e in (4e4, 8e5, 8e6)}
    assert charge[4e4] < 0.5
    assert 1.4 < charge[8e5] < 2.0
    assert charge[8e6] > 1.98


def test_charge_states_balance():
    for charge, energy in ((1, 3e4), (2, 3e5)):
        rates = exchange_rates(charge, energy)
        shares = equilibrium(rates)
        assert shares.sum() == pytest.approx(1.0)
        assert shares @ rates == pytest.approx(shares * rates.sum(axis=1))
    assert states(6) == 1
    assert equilibrium(exchange_rates(6, 1e6)) == pytest.approx([1.0])


@pytest.mark.parametrize("name", ["p", "t", "He3", "He4", "C11", "O16"])
@pytest.mark.parametrize("energy", [0.002, 0.05, 0.3, 1.0, 30.0, 400.0])
def test_stopping_is_that_of_the_standard(name, energy):
    spectra = ion_spectra(species(name), energy)
    shares = equilibrium(spectra.exchange)
    lost = shares @ (spectra.ionisation.sum(axis=1) @ mean_transfers() + spectra.excitation @ LOSS_EV[5:])
    tau = energy * species(name).nucleons / species(name).mass_mev
    for before in range(shares.size):
        for after in range(before + 1, shares.size):
            lost += shares[before] * spectra.exchange[before, after] * (after - before) * capture_loss_ev(tau)
    standard = (
        float(mass_stopping_power(species(name), energy, WATER)) / 10.0
    )  # MeV cm2/g at 1 g/cm3 to eV/nm
    assert lost == pytest.approx(standard, rel=1e-9)


@pytest.mark.physics
@pytest.mark.parametrize("name", ["p", "He4", "C12"])
def test_models_alone_come_near_the_standard(name):
    # The scale factor is what the models lack against ICRU Report 90: the best test of both.
    for energy in np.geomspace(0.2, 430.0, 25):
        assert ion_spectra(species(name), float(energy)).scale == pytest.approx(1.0, abs=0.06)


@pytest.mark.physics
@pytest.mark.parametrize(
    ("name", "energy", "per_um"),
    # Geant4-DNA (Born/Rudd), ionisations by the primary itself: an independent implementation. The primaries
    # slow down on their way: energies are the mean ones. There Rudd holds for fast ones too.
    [("p", 0.479, 727.6), ("p", 1.992, 252.9), ("p", 9.998, 65.36), ("C12", 4.997, 4026.0)],
)
def test_primary_ionisation_rates(name, energy, per_um):
    spectra = ion_spectra(species(name), energy)
    rate = equilibrium(spectra.exchange) @ spectra.ionisation.sum(axis=(1, 2)) * 1000.0
    assert rate == pytest.approx(per_um, rel=0.03)


@pytest.mark.parametrize("name", ["p", "He4", "C12"])
def test_no_kink_where_the_models_join(name):
    """Rates relative to the stopping power change by less than 2 % against their neighbours' trend."""
    tables = ion_tables(name)
    rate = (tables.cumulative[0, :, 4]) / tables.stopping_ev_nm
    bend = rate[1:-1] / np.sqrt(rate[2:] * rate[:-2]) - 1.0
    assert np.max(np.abs(bend[tables.log_energy[1:-1] > np.log(2e4)])) < 0.02


def test_join_is_smooth():
    assert share_of_born(JOIN_MEV_U[0] * 0.9) == 0.0
    assert share_of_born(JOIN_MEV_U[1] * 1.1) == 1.0
    energies = np.geomspace(*JOIN_MEV_U, 200)
    assert np.all(np.diff([share_of_born(float(e)) for e in energies]) > 0.0)


def test_tables_hold_probabilities():
    tables = ion_tables("He4")
    assert tables.cumulative.shape[0] == 3
    assert np.all(np.diff(tables.cumulative, axis=-1) >= 0.0)
    assert np.all(np.diff(tables.spectra, axis=-1) >= 0.0)
    assert tables.spectra[..., -1].max() == pytest.approx(1.0)
    assert tables.start_share[:, -1] == pytest.approx(1.0)


def test_unknown_ions_are_refused():
    assert "C12" in ION_NAMES
    with pytest.raises(InputError, match=r"Fe56.*expected one of p, d"):
        ion_tables("Fe56")
    with pytest.raises(InputError, match="energy_mev_u"):
        ion_spectra(species("p"), 1e-4)
