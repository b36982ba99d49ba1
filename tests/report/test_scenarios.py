"""Sections on scenarios show the numbers of the doses that they are given."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from isodose.dose.dose import Dose
from isodose.dose.quantity import Quantity
from isodose.patient.grid import Grid
from isodose.patient.patient import Patient
from isodose.patient.structure import Role, Structure
from isodose.patient.volume import Volume
from isodose.plan.plan import Beam, Layer, Plan, Spots
from isodose.report.scenarios import scenario_sections

GRID = Grid((0.0, 0.0, 0.0), (5.0, 5.0, 5.0), (6, 6, 12))


def dose(left: float, right: float) -> Dose:
    values = np.full(GRID.shape, left, dtype=np.float32)
    values[:, :, 6:] = right
    return Dose(GRID, {Quantity.DOSE: values})


def half(name: str, role: Role, part: slice) -> Structure:
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[1:-1, 1:-1, part] = 1.0
    return Structure(name, role, GRID, values)


@pytest.fixture
def patient() -> Patient:
    parts = [
        half("CTV", Role.CTV, slice(1, 5)),
        half("cord", Role.ORGAN, slice(7, 11)),
        half("body", Role.EXTERNAL, slice(0, 12)),
    ]
    ct = Volume(GRID, np.zeros(GRID.shape, dtype=np.float32))
    return Patient("halves", ct, {s.name: s for s in parts})


def test_sections_show_bands_deviations_and_worst_figures(patient: Patient) -> None:
    plan = Plan(
        "p",
        "proton",
        "generic_proton",
        (Beam("1", 0.0, 0.0, (0.0, 0.0, 0.0), (Layer(100.0, Spots([0.0], [0.0], [1.0])),)),),
        prescription_gy=2.0,
    )
    others = [dose(1.7, 0.5), dose(2.4, 0.5)]
    sections = scenario_sections(patient, plan, ["low", "high"], dose(2.0, 0.5), others)
    (bands, spread), (picture, table) = sections
    assert (bands.key, picture.key) == ("scenarios", "rvh")
    assert [row[0] for row in spread.rows[::3]] == ["CTV", "cord"]
    FigureCanvasAgg(picture.figure).draw()
    texts = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    # sqrt((0.3^2 + 0.4^2) / 2) = 0.354 Gy, and nothing in the organ.
    assert texts == ["CTV: 0.354 Gy", "cord: 0.000 Gy"]
    assert table.rows[0] == ("CTV", "D95", "2.000", "1.700", "low", "0.354")
    assert table.rows[1] == ("CTV", "D2", "2.000", "2.400", "high", "")
    assert table.rows[2] == ("cord", "mean", "0.500", "0.500", "nominal", "0.000")
    assert all(len(row) == len(table.headings) for row in table.rows)
