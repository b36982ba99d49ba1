"""The figure and the table of DVH bands show the numbers they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from isodose.evaluate.dvh import Dvh
from isodose.evaluate.dvh_bands import dvh_band
from isodose.report.dvh_bands import dvh_band_figure, dvh_spread_table


def ramp(low: float, name: str = "ptv") -> Dvh:
    return Dvh(name, np.linspace(low, low + 1.0, 5000), np.full(5000, 0.01))


def test_band_lies_between_the_histograms(head):
    band = dvh_band([ramp(1.0), ramp(1.2)])
    figure = dvh_band_figure({"ptv": band}, head.structures, {"ptv": ramp(1.1)}, 2.0, "2 fractions")
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0]
    (filled,) = axis.collections
    outline = filled.get_paths()[0].vertices
    at = outline[np.abs(outline[:, 0] - 1.7) < 0.003]
    # V(1.7 Gy) is 30 and 50 %; half a step of the axis is 0.2 %
    assert (at[:, 1].min(), at[:, 1].max()) == pytest.approx((30.0, 50.0), abs=0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ptv", "planned", "2 fractions"]


def test_quantiles_are_drawn_of_enough_doses(head):
    band = dvh_band([ramp(1.0 + 0.02 * i) for i in range(12)])
    figure = dvh_band_figure({"ptv": band}, head.structures)
    assert len(figure.axes[0].collections) == 2
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["ptv", "mean of all", "all", "5 to 95 % of all"]


def test_table_gives_the_spread():
    table = dvh_spread_table({"ptv": [ramp(1.0), ramp(1.2)]}, {"ptv": ramp(1.1)})
    assert len(table.rows) == 3
    assert all(len(row) == len(table.headings) for row in table.rows)
    # D50 of the ramps: 1.5 and 1.7 Gy, planned 1.6 Gy
    assert table.rows[1] == ("ptv", "D50", "1.600", "1.600", "0.141", "1.500", "1.700", "-6.3 to +6.3")
    cold = dvh_spread_table(
        {"ptv": [ramp(1.0)], "cord": [ramp(0.0)]}, {"ptv": ramp(1.0), "cord": Dvh("cord", [0.0], [1.0])}
    )
    assert [row[-1] for row in cold.rows[3:]] == ["", "", ""]
    plain = dvh_spread_table({"ptv": [ramp(1.0)]})
    assert plain.rows[0][:4] == ("ptv", "D95", "1.050", "0.000")
    assert len(plain.headings) == len(plain.rows[0])
