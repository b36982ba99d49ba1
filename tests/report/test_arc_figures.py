"""The figures of arcs show the selections they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from isodose.arc.control_points import arc, control_points
from isodose.arc.delivery_time import delivery_time
from isodose.arc.exact_programme import ExactProgramme
from isodose.arc.pareto import pareto_frontier
from isodose.arc.selection import SelectionTask
from isodose.arc.switch_table import SwitchTable
from isodose.errors import InputError
from isodose.report.arc_figures import delivery_figure, energy_figure, pareto_figure


@pytest.fixture
def task() -> SelectionTask:
    cost = np.random.default_rng(0).random((8, 4))
    return SelectionTask(cost, SwitchTable.preset("cyclotron", [70.0, 80.0, 90.0, 100.0]))


def test_energies_and_passing_time(task):
    found = ExactProgramme().select(task)
    figure = energy_figure({"exact": found}, control_points((arc(spacing_deg=45.0),)))
    FigureCanvasAgg(figure).draw()
    energies, passed = (axis.lines[0].get_xydata() for axis in figure.axes)
    assert energies[:, 0].tolist() == [45.0 * i for i in range(8)]
    assert energies[:, 1].tolist() == found.energies_mev_u.tolist()
    assert passed[-1, 1] == pytest.approx(found.switching_s)
    text = figure.axes[1].get_legend().get_texts()[0].get_text()
    assert text.startswith(f"exact: {found.switching_s:.1f} s")


def test_a_second_arc_has_a_line_of_its_own(task):
    there = arc("1", 0.0, 90.0, 30.0)
    found = ExactProgramme().select(task)
    figure = energy_figure({"exact": found}, control_points((there, there.reversed("2"))))
    FigureCanvasAgg(figure).draw()
    for axis in figure.axes:
        first, second = (line.get_xydata()[:, 0].tolist() for line in axis.lines)
        assert (first, second) == ([0.0, 30.0, 60.0, 90.0], [90.0, 60.0, 30.0, 0.0])


def test_parts_of_the_time_of_delivery(task):
    found = ExactProgramme().select(task)
    points = control_points((arc(spacing_deg=45.0),))
    time = delivery_time(found, points, np.full(8, 20), np.full(8, 100.0))
    figure = delivery_figure(found, time)
    FigureCanvasAgg(figure).draw()
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths[0] + widths[1] == pytest.approx(found.switching_s)
    assert widths[2:] == pytest.approx([time.spots_s, time.gantry_s, time.static_s, time.dynamic_s])
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    up, down, _ = found.transitions
    assert labels[:2] == [f"{up} switches up", f"{down} switches down"]


def test_frontier_and_selections(task):
    frontier = pareto_frontier(task)
    figure = pareto_figure(frontier, {"exact": ExactProgramme().select(task)})
    FigureCanvasAgg(figure).draw()
    line, point = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), np.stack([frontier.switching_s, frontier.cost], axis=1))
    assert point.get_xydata().shape == (1, 2)


def test_other_control_points_are_refused(task):
    found = ExactProgramme().select(task)
    with pytest.raises(InputError, match="8 control points"):
        energy_figure({"exact": found}, control_points((arc(spacing_deg=90.0),)))
    with pytest.raises(InputError, match="at least one"):
        energy_figure({}, ())
