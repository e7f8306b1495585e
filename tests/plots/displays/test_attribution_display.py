"""Attributions as pictures: what stands in the figures, read from the figures themselves."""

from __future__ import annotations

import numpy as np
import pytest

from e2egraph.detector.channels import Channel, channels
from e2egraph.plots.displays import attribution_display
from e2egraph.plots.displays.attribution_display import draw_attribution, plot_channel_attribution
from e2egraph.tasks.objects.naming import ObjectName
from tests.toy_dataset import toy_clouds, toy_task

NODES = 40
REGION = toy_task().network_inputs.region
NAMES = tuple(channels())


@pytest.fixture
def figures(monkeypatch):
    """The figures drawn, in place of the files: rendering takes longer than all else."""
    drawn = []
    monkeypatch.setattr(attribution_display, "save", lambda figure, stem: drawn.append(figure) or [])
    return drawn


@pytest.fixture(scope="module")
def jet():
    return toy_clouds(1, 1, np.random.default_rng(2), nodes=(NODES, NODES))


def test_every_network_has_a_panel_with_its_attributions_at_their_nodes(jet, figures, tmp_path):
    maps = {"image": np.linspace(-1.0, 2.0, NODES), "graph": np.cos(np.arange(NODES))}
    draw_attribution(jet, maps, REGION, tmp_path / "jet", "e2egraph")
    panels = [axes for axes in figures[0].axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["image", "graph"]
    for axes, attribution in zip(panels, maps.values(), strict=True):
        (points,) = axes.collections
        place = np.asarray(points.get_offsets())
        expected = {tuple(row) for row in np.stack([jet.nodes["deta"], jet.nodes["dphi"], attribution], 1)}
        assert {(*xy, value) for xy, value in zip(place, points.get_array(), strict=True)} == expected
        assert np.all(np.diff(np.abs(points.get_array())) >= 0)
        low, high = points.get_clim()
        assert low == -high
        assert high == pytest.approx(np.quantile(np.abs(attribution), 0.99))


@pytest.mark.parametrize("attribution", [np.zeros(NODES), np.eye(NODES)[0]])
def test_a_scale_is_found_where_nearly_all_attributions_are_zero(jet, figures, tmp_path, attribution):
    draw_attribution(jet, {"image": attribution}, REGION, tmp_path / "jet", "")
    assert figures[0].axes[0].collections[0].get_clim() == (-1.0, 1.0) or attribution.any()
    assert figures[0].axes[0].collections[0].get_clim()[1] > 0


def test_a_jet_without_nodes_is_an_empty_panel(figures, tmp_path):
    empty = toy_clouds(0, 1, np.random.default_rng(2), nodes=(0, 0))
    draw_attribution(empty, {"image": np.zeros(0)}, REGION, tmp_path / "jet", "")
    assert len(figures[0].axes[0].collections[0].get_offsets()) == 0


def test_bars_are_the_means_of_each_class_for_channels_that_are_seen(figures, tmp_path):
    change = np.zeros((5, len(channels())))
    change[:, Channel.ECAL], change[:, Channel.TRACK] = 1.0, np.arange(5)
    class_of = np.array([0, 0, 1, 1, 1])
    stem, named = tmp_path / "channels", ObjectName("jet")
    plot_channel_attribution(
        {"image": change, "graph": -change}, NAMES, class_of, ("qcd", "top"), stem, "e2egraph", named
    )
    qcd, top = figures[0].axes
    assert [label.get_text() for label in qcd.get_yticklabels()] == ["TRACK", "ECAL"]
    assert (qcd.get_title(), top.get_title()) == ("2 qcd jets", "3 top jets")
    assert [bar.get_width() for bar in qcd.patches] == [0.5, 1.0, -0.5, -1.0]
    assert [bar.get_width() for bar in top.patches] == [3.0, 1.0, -3.0, -1.0]


def test_a_class_with_one_jet_has_no_error_and_one_without_jets_no_bar(figures, tmp_path):
    change = np.ones((1, len(channels())))
    plot_channel_attribution({"image": change}, NAMES, np.array([0]), ("qcd", "top"), tmp_path / "channels", "")
    qcd, top = figures[0].axes
    assert len(qcd.patches) == len(channels())
    assert not qcd.collections
    assert not top.patches


def test_networks_are_named_also_where_the_first_class_has_no_objects(figures, tmp_path):
    changes = {name: np.ones((4, len(NAMES))) for name in ("image", "graph")}
    for members in ([1, 1, 1, 1], [0, 1, 1, 0]):
        plot_channel_attribution(changes, NAMES, np.array(members), ("qcd", "top"), tmp_path / "channels", "e2egraph")
        legends = [axes.get_legend() for axes in figures.pop().axes]
        named = [[text.get_text() for text in legend.get_texts()] for legend in legends if legend is not None]
        assert named == [["image", "graph"]]


def test_pictures_are_written_as_png_and_pdf(jet, tmp_path):
    files = draw_attribution(jet, {"image": np.ones(NODES)}, REGION, tmp_path / "jet", "e2egraph")
    assert [path.name for path in files] == ["jet.png", "jet.pdf"]
    assert files[0].read_bytes().startswith(b"\x89PNG")
