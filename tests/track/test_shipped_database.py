"""The database that comes with isodose: what it holds, and that it can be made again."""

import numpy as np
import pytest

from isodose.errors import InputError
from isodose.physics.species import species
from isodose.track.database import RAW_FILE, cluster_database, load_database
from isodose.track.database_build import all_entries
from isodose.track.database_entry import DATABASE_IONS, PAPER_ENERGIES_MEV, compute_sums
from isodose.track.entry_sums import QUANTITIES

ELEMENTS = (("p", "d", "t"), ("He3", "He4"), ("B10", "B11"), ("C10", "C11", "C12"))


def test_it_holds_all_entries():
    database = cluster_database()
    assert set(database.ions) == set(DATABASE_IONS)
    assert sorted((e.ion, e.energy_mev_u) for e in database.entries) == sorted(all_entries())
    for ion in DATABASE_IONS:
        of_paper = PAPER_ENERGIES_MEV / species(ion).nucleons
        of_paper = of_paper[of_paper <= 430.0]
        assert np.all(database.per_nm(ion, "F4", of_paper) > 0.0)
        with pytest.raises(InputError, match=r"0\.01 to 430 MeV/u"):
            database.per_nm(ion, "F4", 431.0)


def test_provenance_says_how_it_was_made():
    provenance = cluster_database().provenance
    assert provenance["command"].startswith("isodose track database")
    assert provenance["tracks"] > 100_000
    assert 0.0 < provenance["largest_relative_uncertainty_F4"] <= 0.011


def test_residuals_of_the_smooth_fit_are_noise():
    """Root mean square in units of the uncertainties: a curve that the fit cannot follow would be above."""
    for ion, quantities in cluster_database().provenance["smoothed"].items():
        for name in ("F2", "F4", "F5", "F7"):
            assert 0.5 < quantities[name]["rms_sigma"] < 1.5, (ion, name)


def test_uncertainties_after_smoothing():
    database = cluster_database()
    for ion in DATABASE_IONS:
        values, errors = database.table(ion, "F4")
        assert np.median(errors / values) < 0.005
        assert np.max(errors / values) < 0.0055  # 0.5 %, and Birge's ratio of the fit's residuals


@pytest.mark.physics
@pytest.mark.parametrize(("ion", "energy"), [("p", 0.1), ("He4", 50.0), ("C12", 50.0), ("O16", 0.0317)])
def test_entries_can_be_made_again(ion, energy):
    raw = load_database(RAW_FILE)
    energies = raw.energies_mev_u(ion)
    i = int(np.argmin(np.abs(np.log(energies / energy))))
    fresh, fresh_error = compute_sums(ion, float(energies[i]), 0.03, seed=99).estimates()
    for name in ("F1", "F2", "F4", "F5", "M1"):
        column = QUANTITIES.index(name)
        values, errors = raw.table(ion, name)
        # from 16 tracks an uncertainty is known to a fifth
        error = 1.2 * np.hypot(errors[i], fresh_error[column])
        assert abs(fresh[column] - values[i]) < 4.0 * error, name


@pytest.mark.physics
@pytest.mark.parametrize("isotopes", ELEMENTS)
def test_isotopes_of_one_velocity_are_alike(isotopes):
    """Mass enters by the largest energy transfer (0.1 %) and by slowing down in 1 um only."""
    database = cluster_database()
    energies = np.geomspace(5.0, 300.0, 12)
    for name in ("F2", "F4"):
        rows, errors = [], []
        for ion in isotopes:
            values, told = database.table(ion, name)
            rows.append(database.per_nm(ion, name, energies))
            errors.append(np.interp(energies, database.energies_mev_u(ion), told / values))
        for row, error in zip(rows[1:], errors[1:], strict=True):
            limit = 4.0 * np.hypot(error, errors[0]) + 0.005
            assert np.all(np.abs(row / rows[0] - 1.0) < limit), (isotopes, name)
