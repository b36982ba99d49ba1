"""The page about a machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isodose.commissioning.spot_comparison import PLACES, Curve, Figure, SpotComparison
from isodose.commissioning.validation import Validation, validate
from isodose.errors import InputError
from isodose.machine.base_data import BaseData
from isodose.machine.machine_file import machine
from isodose.report import html
from isodose.report.machine import write_machine_report
from isodose.report.machine_checks import energies_table, figures_table

CARBON = machine("generic_carbon")


def compared(energy: float, difference: float = 0.0) -> SpotComparison:
    """Engines that differ by so many tolerances in R80."""
    depth = np.arange(0.5, 100.0, 0.5)
    dose = 10.0 + 40.0 * np.exp(-0.5 * ((depth - 80.0) / 2.0) ** 2)
    curve = Curve(depth, dose, 1.01 * dose, 0.01 * dose)
    x = np.arange(-50.0, 51.0)
    profile = np.exp(-0.5 * (x / 3.0) ** 2) / (3.0 * np.sqrt(2.0 * np.pi))
    across = Curve(x, profile, profile, 0.05 * profile)
    numbers = (
        Figure("R80", "mm", 82.0 + 0.2 * difference, 82.0, 0.0, 0.2, "0.2 mm"),
        Figure("sigma, peak", "mm", 3.0, 3.0, 0.01, 0.06, "2 % of it"),
        Figure("beyond 20 mm, peak", "% of the dose", 1.0, 1.1, 0.02, 0.3, "0.3 % of the dose"),
        Figure("LETd, peak", "keV/µm", 60.0, 61.0, 0.2, 2.4, "4 % of it"),
    )
    return SpotComparison(energy, energy != 200.0, curve, curve, (across,) * len(PLACES), numbers)


@pytest.fixture(autouse=True)
def coarse(monkeypatch) -> None:
    """Pictures are drawn, but not for eyes."""
    monkeypatch.setattr(html, "DOTS_PER_INCH", 25)


@pytest.fixture(scope="module")
def data_only() -> Validation:
    return validate(CARBON, energies=0)


def with_spots(validation: Validation, *spots: SpotComparison) -> Validation:
    return replace(validation, spots=spots)


def test_page_and_figures(tmp_path, data_only):
    page = write_machine_report(tmp_path, CARBON, with_spots(data_only, compared(120.0), compared(200.0)))
    text = page.read_text(encoding="utf-8")
    keys = {"depth_dose", "range", "gaussians", "letd", "spectra", "optics", "spot_depth", "spot_lateral"}
    assert {p.stem for p in (tmp_path / "figures").glob("*.png")} == keys
    for words in (
        "Machine generic_carbon",
        "80 to 430",
        "R80",
        "generic_carbon",
        "histories_per_energy",
        "seed",
    ):
        assert words in text
    assert "72 of 72" in text  # 64 ranges and 4 figures of each of two spots
    assert "Not every check passed" not in text
    assert "✗" not in text
    assert 'src="data:image/png' in text  # opens offline


def test_what_failed_is_marked(tmp_path, data_only):
    page = write_machine_report(tmp_path, CARBON, with_spots(data_only, compared(120.0, 1.5)))
    text = page.read_text(encoding="utf-8")
    assert "Not every check passed" in text
    assert "67 of 68" in text
    assert "+0.300 ± 0.000 ✗" in text


def test_differences_in_the_table():
    table = figures_table([compared(120.0, -0.5), compared(200.0)], ["R80", "beyond 20 mm, peak"])
    assert table.headings[2:] == ("120 MeV/u*", "200 MeV/u")
    assert table.rows[0] == ("R80 / mm", "0.2 mm", "-0.100 ± 0.000 ✓", "+0.000 ± 0.000 ✓")
    assert table.rows[1][0] == "beyond 20 mm, peak / %"
    assert table.rows[1][2] == "-0.100 ± 0.020 ✓"


def test_energies_that_fail_are_always_shown(data_only):
    energies = list(data_only.energies)
    shown = [row[0] for row in energies_table(energies).rows]
    odd = next(i for i in range(1, 64) if f"{energies[i].energy_mev_u:g}" not in shown)
    energies[odd] = replace(energies[odd], r80_mm=energies[odd].csda_mm + 5.0)
    row = next(r for r in energies_table(energies).rows if r[0] == f"{energies[odd].energy_mev_u:g}")
    assert row[3] == "+5.00 ✗"


def test_imported_data_without_letd_and_spectra(tmp_path, data_only):
    bare = tuple(
        replace(k, sigma_mm=k.sigma_mm[:, :1], weight=np.ones_like(k.weight[:, :1]), letd=None)
        for k in CARBON.base_data.kernels[::16]
    )
    imported = replace(CARBON, base_data=BaseData("carbon", bare))
    result = validate(imported, energies=0)
    spot = replace(compared(120.0), letd=None)
    page = write_machine_report(tmp_path, imported, with_spots(result, spot))
    assert {p.stem for p in (tmp_path / "figures").glob("*.png")} == {
        "depth_dose", "range", "gaussians", "optics", "spot_depth", "spot_lateral"
    }  # fmt: skip
    assert "Dose-averaged LET" not in page.read_text(encoding="utf-8")


def test_without_base_data_there_is_nothing_to_report(tmp_path, data_only):
    with pytest.raises(InputError, match="a machine with base data"):
        write_machine_report(tmp_path, replace(CARBON, base_data=None), data_only)
    assert not (tmp_path / "report.html").exists()
