"""Axes of nodes are differences to the object's centre, and the detector's own of whole events."""

from e2egraph.plots.style import position_titles
from e2egraph.tasks.region import JET_REGION
from tests.models.other_inputs import WHOLE_DETECTOR


def test_axes_of_whole_events_are_those_of_the_detector() -> None:
    assert position_titles(JET_REGION) == (r"$\Delta\eta$", r"$\Delta\varphi$ [rad]")
    assert position_titles(WHOLE_DETECTOR) == (r"$\eta$", r"$\varphi$ [rad]")
