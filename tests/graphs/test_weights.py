"""Event weights from cross-sections, and pT reweighting as the alternative to dropping jets."""

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.graphs.build import BuildOptions, build
from e2egraph.graphs.shards import open_shard, read_row_groups
from tests.graphs.builds import ntuple, task


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return {name: ntuple(folder / f"{name}.root", seed, 20) for name, seed in (("low", 1), ("high", 2), ("top", 3))}


def jets_of(summary, name):
    parts = [
        read_row_groups(open_shard(summary.output / shard.name), [0]).jets
        for shard in summary.manifest.shards
        if shard.sample == name
    ]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def productions(files, **generated):
    """Two productions of QCD with very different cross-sections, and tops."""
    return [
        Sample("qcd", "qcd", (files["low"],), cross_section=100.0, generated=generated.get("low"), luminosity=0.01),
        Sample("qcd", "qcd", (files["high"],), cross_section=1.0, generated=generated.get("high"), luminosity=0.01),
        Sample("top", "top", (files["top"],), cross_section=2.0, luminosity=0.01),
    ]


def test_events_weigh_their_cross_section_over_the_generated_events(files, tmp_path):
    summary = build(task("resampling=null"), productions(files, high=500), tmp_path / "data")
    qcd = jets_of(summary, "qcd")
    # lumi is the seed: 1 for the first production, of as many generated events as it holds
    np.testing.assert_allclose(qcd["weight"][qcd["lumi"] == 1], 100.0 * 0.01 * 1000 / 20)
    np.testing.assert_allclose(qcd["weight"][qcd["lumi"] == 2], 1.0 * 0.01 * 1000 / 500)
    assert [entry.weight for entry in summary.manifest.inputs] == pytest.approx([50.0, 0.02, 1.0])


def test_skipping_a_file_keeps_the_weights_right_or_refuses(files, tmp_path):
    (tmp_path / "bad.root").write_bytes(b"root" + bytes(50))
    _, high, top = productions(files)
    both = (tmp_path / "bad.root", files["low"])
    counted = [Sample("qcd", "qcd", both, cross_section=100.0, luminosity=0.01), high, top]
    summary = build(task("resampling=null"), counted, tmp_path / "data", options=BuildOptions(skip_bad_files=True))
    assert summary.manifest.inputs[0].weight == pytest.approx(50.0)
    stated = [Sample("qcd", "qcd", both, cross_section=100.0, generated=40, luminosity=0.01), high, top]
    with pytest.raises(InputError, match="1 bad files were skipped, so its generated_events no longer fits"):
        build(task(), stated, tmp_path / "again", options=BuildOptions(skip_bad_files=True))


def test_reweighting_gives_every_class_the_reference_s_weighted_spectrum(files, tmp_path):
    edges = [400, 500, 650, 900]
    settings = ("resampling.method=reweight", f"resampling.edges.jet_pt={edges}")
    summary = build(task(*settings), productions(files), tmp_path / "data")
    spectra = {}
    for name in ("qcd", "top"):
        jets = jets_of(summary, name)
        spectra[name] = np.histogram(jets["jet_pt"], edges, weights=jets["weight"])[0]
    np.testing.assert_allclose(spectra["qcd"], spectra["top"], rtol=1e-5)
    assert summary.manifest.removed["qcd"]["resampling"] == 0
