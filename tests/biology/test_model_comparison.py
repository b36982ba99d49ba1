from __future__ import annotations

import numpy as np
import pytest

from isodose.biology.model_comparison import compare_models
from isodose.biology.models import models_for
from isodose.biology.rbe_dose import rbe_weighted_dose
from isodose.biology.tissue import TissueMap, tissue
from isodose.dose.quantity import Quantity
from isodose.patient.volume import Volume
from isodose.report.rbe_models import rbe_models_figure, rbe_models_table


@pytest.fixture
def weighted(head, two_field_dose):
    """The carbon models on a dose whose alpha rises towards the edges of the target."""
    letd = two_field_dose.values[Quantity.LETD]
    alpha = (0.3 + 0.01 * letd).astype(np.float32)
    values = {**two_field_dose.values, Quantity.ALPHA: alpha, Quantity.SQRT_BETA: np.full_like(alpha, 0.2)}
    dose = type(two_field_dose)(two_field_dose.grid, values)
    tissues = TissueMap(tissue("chordoma"))
    return {m.name: rbe_weighted_dose(dose, m, "carbon", head, tissues) for m in models_for("carbon")}


def test_figures_of_structures_and_models(head, two_field_dose, weighted):
    structures = {name: head.structure(name) for name in ("ptv", "brainstem")}
    rows = compare_models({"dose": two_field_dose.volume(), **weighted}, structures)
    assert [(r.structure, r.model) for r in rows[:3]] == [("ptv", "dose"), ("ptv", "mkm"), ("ptv", "lem1")]
    assert len(rows) == 6
    physical, mkm, lem = rows[:3]
    assert physical.d95 < physical.mean < physical.d2
    assert physical.mean < mkm.mean < lem.mean  # the same effect is a higher dose for a radioresistant tissue
    table = rbe_models_table(rows)
    assert table.rows[0][:2] == ("ptv", "dose")
    assert table.rows[0][2] == f"{physical.mean:.3f}"


def test_twice_the_dose_has_twice_the_figures(head):
    flat = Volume(head.grid, np.full(head.grid.shape, 1.5))
    twice = Volume(head.grid, np.full(head.grid.shape, 3.0))
    one, two = compare_models({"one": flat, "two": twice}, {"ptv": head.structure("ptv")})
    assert (one.mean, one.d95, one.d2) == pytest.approx((1.5, 1.5, 1.5))
    assert (two.mean, two.d95, two.d2) == pytest.approx((3.0, 3.0, 3.0))


def test_the_figure_shows_every_model(head, two_fields, two_field_dose, weighted):
    structures = {name: head.structure(name) for name in ("ptv", "brainstem")}
    figure = rbe_models_figure(
        two_field_dose.volume(), weighted, structures, two_fields.beams[0], np.array([0.0, -25.0, 0.0])
    )
    dose, dvh, rbe = figure.axes
    assert len(dose.lines) == 3
    assert len(dvh.lines) == 6
    shown = [line for line in rbe.lines if len(line.get_xdata()) > 2]
    assert [np.nanmin(line.get_ydata()) > 1.0 for line in shown] == [True, True]
    assert {t.get_text() for t in figure.legends[0].texts} == {"dose without RBE", "mkm", "lem1"}
