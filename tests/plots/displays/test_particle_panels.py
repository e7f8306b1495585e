"""Panels of particles: what is drawn where, how large and in which colour; the picture of a particle-flow data set."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle

from e2egraph.cli import main
from e2egraph.data.table import read_table
from e2egraph.plots.displays import particle_panels
from e2egraph.plots.displays.particle_panels import CLASS_STYLES, PILE_UP_COLOUR, Panel, by_class, draw_panels
from e2egraph.tasks.objectives.nodes import CLASSES


@pytest.fixture
def figures(monkeypatch):
    """The figures that would be written."""
    drawn = []
    monkeypatch.setattr(particle_panels, "save", lambda figure, stem: drawn.append(figure) or [stem])
    return drawn


def scattered(axes):
    """(colour, η, φ, area) of each marker."""
    return [
        (to_hex(group.get_facecolor()[0]), *place, area)
        for group in axes.collections
        for place, area in zip(group.get_offsets().tolist(), group.get_sizes(), strict=True)
    ]


def test_particles_have_the_colour_of_their_class_and_an_area_that_grows_with_their_pt(figures, tmp_path):
    kind, pt = np.array([1, 3, 1]), np.array([10.0, 20.0, 40.0])
    eta, phi = np.array([0.1, 0.2, 2.0]), np.array([3.1, -3.1, 0.0])
    marks = by_class(CLASSES, kind, eta, phi, pt, np.array([False, False, True]))
    assert [each.label for each in marks] == ["charged hadrons", "photons"]
    draw_panels([Panel("rules", marks, np.array([[30.0, 0.0, 3.0]]))], (0.0, 3.1), "title", tmp_path / "x")
    whole, around = figures[0].axes
    colours = {name: to_hex(colour) for name, (colour, _) in CLASS_STYLES.items()}
    found = {colour: place for colour, *place in scattered(whole)}
    assert set(found) == {colours["charged_hadron"], colours["photon"], to_hex(PILE_UP_COLOUR)}
    assert found[colours["photon"]][2] == 2 * found[colours["charged_hadron"]][2]
    # Around the direction φ wraps: what is just beyond π is near.
    near = {colour: place for colour, *place in scattered(around)}
    assert near[colours["photon"]][1] == pytest.approx(2 * np.pi - 6.2)
    assert near[colours["charged_hadron"]][:2] == pytest.approx([0.1, 0.0])
    # The circle of a jet at the edge is drawn on both sides, and its pT once.
    circles = [patch for patch in whole.patches if isinstance(patch, Circle)]
    assert sorted(round(circle.center[1], 2) for circle in circles) == [-3.28, 3.0, 9.28]
    assert [text.get_text() for text in whole.texts] == ["30 GeV"]
    assert [text.get_text() for text in around.texts] == ["30.0 GeV"]
    labels = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert labels[:3] == ["charged hadrons", "photons", "taken for pile-up"]


@pytest.mark.parametrize(("number", "shape"), [(2, (2, 2)), (4, (2, 4)), (5, (4, 3))])
def test_panels_stand_side_by_side_in_rows_of_at_most_four(figures, tmp_path, number, shape):
    panels = [Panel(str(place), [], np.empty((0, 3))) for place in range(number)]
    draw_panels(panels, (0.0, 0.0), "title", tmp_path / "x")
    grid = figures[0].axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == shape
    assert [axes.get_title() for axes in figures[0].axes if axes.get_title()] == [panel.title for panel in panels]


def test_inspect_draws_elements_targets_and_rule_based_candidates_of_an_event(flow_data, figures, tmp_path, capsys):
    words = ["inspect", str(flow_data), "--plot", str(tmp_path / "event.png")]
    assert main([*words, "--jet", "3"]) == 0
    event = read_table(flow_data)
    (axes,) = [axes for axes in figures[0].axes if "clusters" in axes.get_title()]
    tracks, clusters = (int(word.split()[0]) for word in axes.get_title().split(", "))
    assert tracks + clusters == len(scattered(axes)) == event.columns["n_nodes"][3]
    titles = [one.get_title().split()[1:] for one in figures[0].axes if one.get_title()]
    assert titles[1:] == [["targets"], ["rule-based", "candidates"]]
    assert "number 3 of the data set" in figures[0].get_suptitle()
    capsys.readouterr()
    assert main([*words, "--jet", "99"]) == 1
    assert "no event number 99; give a number from 0 to 15" in capsys.readouterr().err
