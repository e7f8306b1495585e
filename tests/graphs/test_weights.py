"""Event weights from cross-sections and the generator, and reweighting as the alternative to dropping jets."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import BuildOptions, build
from tests import rhtree_files
from tests.events.test_production import in_pb
from tests.graphs.builds import jets_of, ntuple, task


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return {name: ntuple(folder / f"{name}.root", seed, 20) for name, seed in (("low", 1), ("high", 2), ("top", 3))}


def productions(files, **generated):
    """Two productions of QCD with very different cross-sections, and tops."""
    return [
        Sample("qcd_low", "qcd", (files["low"],), cross_section=100.0, generated=generated.get("low"), luminosity=0.01),
        Sample(
            "qcd_high", "qcd", (files["high"],), cross_section=1.0, generated=generated.get("high"), luminosity=0.01
        ),
        Sample("top", "top", (files["top"],), cross_section=2.0, luminosity=0.01),
    ]


def test_events_weigh_their_cross_section_over_the_generated_events(files, tmp_path):
    summary = build(task("resampling=null"), productions(files, high=500), tmp_path / "data")
    qcd = jets_of(summary, 0)
    # lumi is the seed: 1 for the first production, of as many generated events as it holds
    np.testing.assert_allclose(qcd["weight"][qcd["lumi"] == 1], 100.0 * 0.01 * 1000 / 20)
    np.testing.assert_allclose(qcd["weight"][qcd["lumi"] == 2], 1.0 * 0.01 * 1000 / 500)
    assert [entry.weight for entry in summary.manifest.inputs] == pytest.approx([50.0, 0.02, 1.0])


def test_skipping_a_file_keeps_the_weights_right_or_refuses(files, tmp_path):
    (tmp_path / "bad.root").write_bytes(b"root" + bytes(50))
    _, high, top = productions(files)
    both = (tmp_path / "bad.root", files["low"])
    counted = [Sample("qcd_low", "qcd", both, cross_section=100.0, luminosity=0.01), high, top]
    summary = build(task("resampling=null"), counted, tmp_path / "data", options=BuildOptions(skip_bad_files=True))
    assert summary.manifest.inputs[0].weight == pytest.approx(50.0)
    stated = [Sample("qcd_low", "qcd", both, cross_section=100.0, generated=40, luminosity=0.01), high, top]
    few = replace(stated[0], paths=(files["low"],), generated=2)
    with pytest.raises(InputError, match=r"generated_events is 2, but its files hold \d+ events; give the number that"):
        build(task(), [few, high, top], tmp_path / "few")
    with pytest.raises(InputError, match="1 bad files were skipped, so its generated_events no longer fits"):
        build(task(), stated, tmp_path / "again", options=BuildOptions(skip_bad_files=True))


@pytest.mark.parametrize("production", [{"cross_section": 1e300}, {"cross_section": 1e-300}, {"weight": 1e39}])
def test_weights_beyond_single_precision_are_refused_naming_the_sample(files, tmp_path, production):
    given = [Sample("qcd", "qcd", (files["low"],)), Sample("top", "top", (files["top"],), **production)]
    with pytest.raises(InputError, match=r"sample 'top' \(.*top\.root, …\): its events would weigh .* each"):
        build(task(), given, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_reweighting_gives_every_class_the_reference_s_weighted_spectrum(files, tmp_path):
    edges = [400, 500, 650, 900]
    settings = ("resampling.method=reweight", f"resampling.edges.jet_pt={edges}")
    summary = build(task(*settings), productions(files), tmp_path / "data")
    spectra = {}
    for label, name in enumerate(("qcd", "top")):
        jets = jets_of(summary, label)
        spectra[name] = np.histogram(jets["jet_pt"], edges, weights=jets["weight"])[0]
    np.testing.assert_allclose(spectra["qcd"], spectra["top"], rtol=1e-5)
    assert [flow["resampling"] for flow in summary.manifest.removed.values()] == [0, 0, 0]


def biased(path, seed, slope, events=40):
    """An ntuple whose generator made hard jets too often by pT^slope, and its weights, event by event."""
    deposits = rhtree_files.random_deposits(events, seed)
    weights = [float(np.float32((max(pt) / 500) ** -slope)) for pt in deposits.branches["jetPt"]]
    for weight in weights:
        deposits.add("genWeight", weight)
    return rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES), weights


def test_the_generators_weights_are_multiplied_into_those_of_the_events(files, tmp_path):
    path, weights = biased(tmp_path / "biased.root", 7, 4)
    given = [Sample("qcd", "qcd", (path,), weight=3.0), Sample("top", "top", (files["top"],))]
    summary = build(task("resampling=null"), given, tmp_path / "data")
    jets = jets_of(summary, 0)
    expected = 3.0 * np.array(weights)[jets["event"].astype(int) - 1]
    np.testing.assert_allclose(jets["weight"], expected, rtol=1e-6)
    assert jets["weight"].std() > 0.3
    assert (jets_of(summary, 1)["weight"] == 1).all()


def test_a_luminosity_that_nothing_is_multiplied_by_is_refused(files, tmp_path):
    samples = [Sample(name, of, (files[name],), luminosity=20.0) for name, of in (("low", "qcd"), ("top", "top"))]
    with pytest.raises(InputError, match="luminosity: 20 counts for nothing, since no sample has a cross_section"):
        build(task("resampling=null"), samples, tmp_path / "data")
    given = [samples[0], replace(samples[1], cross_section=1.0)]
    summary = build(task("resampling=null"), given, tmp_path / "data")
    assert (jets_of(summary, 0)["weight"] == 1.0).all()


def test_a_cross_section_is_shared_out_over_the_generators_weights(files, tmp_path):
    """σ·L/Σw of all events in the files, selected or not: the weighted number of events is σ·L."""
    (one, first), (two, second) = (biased(tmp_path / f"{seed}.root", seed, 2, 30) for seed in (8, 9))
    given = [
        Sample("qcd", "qcd", (one, two), cross_section=7.0),
        Sample("top", "top", (files["top"],), cross_section=1.0),
    ]
    summary = build(task("resampling=null"), given, tmp_path / "data")
    of_event = 7.0 * 1000 / (sum(first) + sum(second))
    assert [entry.weight for entry in summary.manifest.inputs] == pytest.approx([of_event, of_event, 50.0])
    jets = jets_of(summary, 0)
    of_file = {8: first, 9: second}
    expected = [
        of_event * of_file[int(lumi)][int(event) - 1] for lumi, event in zip(jets["lumi"], jets["event"], strict=True)
    ]
    np.testing.assert_allclose(jets["weight"], expected, rtol=1e-6)


def weighted_by(path, seed, weights):
    """An ntuple of one event for each of the generator's ``weights``."""
    deposits = rhtree_files.random_deposits(len(weights), seed)
    for weight in weights:
        deposits.add("genWeight", weight)
    return rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES)


NLO = [0.5, 0.5, -0.5, 0.5] * 5


@pytest.mark.parametrize("weights", [[0.03] * 20, NLO, [1.0] * 19 + [1.5]], ids=["equal", "negative", "one of many"])
def test_weighted_events_are_not_counted_but_their_weights_are_added_up(files, tmp_path, weights):
    """A selection that kept half of what was generated: its events add up to σ·L/2, which a count cannot give."""
    path = weighted_by(tmp_path / "a.root", 7, weights)
    top = Sample("top", "top", (files["top"],), cross_section=1.0)
    counted = Sample("dijets", "qcd", (path,), cross_section=7.0, generated=2 * len(weights))
    with pytest.raises(
        InputError,
        match=r"sample 'dijets' \(.*a\.root, …\): its events have generator's weights .*give in its place sum",
    ):
        build(task("resampling=null"), [counted, top], tmp_path / "counted")
    summed = replace(counted, generated=None, sum_of_weights=2 * sum(weights))
    summary = build(task("resampling=null", "object.pt_min=0"), [summed, top], tmp_path / "data")
    assert summary.manifest.inputs[0].weight * sum(weights) == pytest.approx(7.0 * 1000 / 2)
    jets = jets_of(summary, 0)
    expected = 3500 / sum(weights) * np.array(weights)[jets["event"].astype(int) - 1]
    np.testing.assert_allclose(jets["weight"], expected, rtol=1e-6)


def test_a_sum_of_weights_below_that_of_the_files_is_refused_unless_some_are_negative(files, tmp_path):
    top = Sample("top", "top", (files["top"],), cross_section=1.0)
    positive = weighted_by(tmp_path / "positive.root", 7, [0.5] * 20)
    given = Sample("dijets", "qcd", (positive,), cross_section=7.0, sum_of_weights=9.0)
    with pytest.raises(InputError, match=r"sum_of_weights is 9, but the weights of .* add up to 10; give that of all"):
        build(task("resampling=null"), [given, top], tmp_path / "data")
    # Five of twenty are negative, 5 in all; a selection that drops those more often may leave more than there was.
    mixed = replace(given, paths=(weighted_by(tmp_path / "mixed.root", 7, NLO),), sum_of_weights=4.0)
    build(task("resampling=null"), [mixed, top], tmp_path / "mixed")


def test_a_sum_of_weights_is_that_of_all_files_given(files, tmp_path):
    (tmp_path / "bad.root").write_bytes(b"root" + bytes(50))
    both = (tmp_path / "bad.root", weighted_by(tmp_path / "a.root", 7, [0.5] * 20))
    given = [Sample("qcd", "qcd", both, cross_section=7.0, sum_of_weights=100.0),
             Sample("top", "top", (files["top"],), cross_section=1.0)]  # fmt: skip
    with pytest.raises(InputError, match="1 bad files were skipped, so its sum_of_weights no longer fits"):
        build(task(), given, tmp_path / "data", options=BuildOptions(skip_bad_files=True))


def test_weights_that_become_infinite_with_the_generators_are_refused(files, tmp_path):
    path, _ = biased(tmp_path / "biased.root", 7, -20, events=12)
    given = [Sample("qcd", "qcd", (path,), weight=1e37), Sample("top", "top", (files["top"],))]
    with pytest.raises(InputError, match=r"biased\.root: column weight would hold .*, which is beyond float32"):
        build(task("resampling=null"), given, tmp_path / "data")


@pytest.mark.parametrize("method", ["drop", "reweight"])
def test_spectra_are_those_of_the_generators_weights(files, tmp_path, method):
    path, _ = biased(tmp_path / "biased.root", 7, 4, events=60)
    given = [Sample("qcd", "qcd", (path,)), Sample("top", "top", (files["top"],))]
    edges = [400, 550, 700, 900]
    settings = (f"resampling.method={method}", f"resampling.edges.jet_pt={edges}", "object.abs_eta_max=1.5")
    before = jets_of(build(task("resampling=null"), given, tmp_path / "all"), 0)
    spectrum = np.histogram(before["jet_pt"], edges, weights=before["weight"])[0]
    summary = build(task(*settings), given, tmp_path / "data")
    qcd, top = (
        np.histogram(jets_of(summary, i)["jet_pt"], edges, weights=jets_of(summary, i)["weight"])[0] for i in (0, 1)
    )
    if method == "reweight":
        np.testing.assert_allclose(qcd, top, rtol=1e-5)
        return
    ratio = top / spectrum
    unweighted = np.histogram(before["jet_pt"], edges)[0]
    left = np.histogram(jets_of(summary, 0)["jet_pt"], edges)[0]
    expected = unweighted * ratio / ratio.max()
    assert np.abs(left - expected).max() < 4 * np.sqrt(expected.max() / 4 + 1)
    assert left[np.argmax(ratio)] == unweighted[np.argmax(ratio)]
    # By numbers of jets alone another bin would have kept all of its own.
    assert np.argmax(ratio) != np.argmax(top / unweighted)


def test_weights_of_the_generator_that_cancel_are_refused_with_a_cross_section(files, tmp_path):
    deposits = rhtree_files.random_deposits(4, 5)
    for weight in (1.0, -1.0, 0.5, -0.5):
        deposits.add("genWeight", weight)
    path = rhtree_files.write(tmp_path / "a.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    given = [
        Sample("dijets", "qcd", (path,), cross_section=7.0),
        Sample("top", "top", (files["top"],), cross_section=1.0),
    ]
    with pytest.raises(InputError, match=r"sample 'dijets' \(.*a\.root, …\): the generator's weights add up to 0"):
        build(task("resampling=null"), given, tmp_path / "data")


def in_one_production(tmp_path, files, **changes):
    """Two files of one production of QCD of unequal size, another production, and tops."""
    given = {
        "a": {"seed": 11, "events": 20, "weights": np.full(20, 6.0 / 20), "production": "soft"},
        "b": {"seed": 12, "events": 10, "weights": np.full(10, 6.0 / 10), "production": "soft"},
        "c": {"seed": 13, "events": 20, "weights": np.full(20, 0.5 / 20), "production": "hard"},
        "t": {"seed": 14, "events": 20, "weights": np.full(20, 0.1 / 20), "production": "top"},
    } | changes
    paths = {name: files[made] if isinstance(made, str) else in_pb(tmp_path / f"{name}.root", **made)
             for name, made in given.items()}  # fmt: skip
    qcd = tuple(paths[name] for name in "abc")
    return [Sample("qcd", "qcd", qcd, luminosity=2.0), Sample("top", "top", (paths["t"],), luminosity=2.0)]


def test_weights_in_pb_become_expected_events_however_many_files_a_production_has(files, tmp_path):
    """σ·ε·L in all: 6 pb of the one production, 0.5 pb of the other, at 2 fb⁻¹."""
    summary = build(task("resampling=null"), in_one_production(tmp_path, files), tmp_path / "data")
    qcd, top = jets_of(summary, 0), jets_of(summary, 1)
    for seed, expected in ((11, 6.0 / 30), (12, 6.0 / 30), (13, 0.5 / 20)):
        np.testing.assert_allclose(qcd["weight"][qcd["lumi"] == seed], 2000 * expected, rtol=1e-6)
    np.testing.assert_allclose(top["weight"], 2000 * 0.1 / 20, rtol=1e-6)


def test_a_cross_section_that_is_given_takes_the_place_of_that_of_the_files(files, tmp_path):
    qcd, top = in_one_production(tmp_path, files)
    soft = Sample("soft", "qcd", qcd.paths[:2], cross_section=9.0)
    hard = Sample("hard", "qcd", qcd.paths[2:], cross_section=1.0)
    given = [soft, hard, Sample("top", "top", top.paths, cross_section=0.2)]
    jets = jets_of(build(task("resampling=null"), given, tmp_path / "data"), 0)
    for seeds, expected in (((11, 12), 9.0 / 30), ((13,), 1.0 / 20)):
        np.testing.assert_allclose(jets["weight"][np.isin(jets["lumi"], seeds)], 1000 * expected, rtol=1e-6)


def test_files_with_and_without_weights_in_pb_share_no_cross_section(files, tmp_path):
    qcd, top = in_one_production(tmp_path, files)
    mixed = Sample("qcd", "qcd", (*qcd.paths, files["low"]), cross_section=9.0)
    with pytest.raises(InputError, match=r"sample 'qcd' .*: some of its files have weights in pb"):
        build(task("resampling=null"), [mixed, replace(top, cross_section=1.0)], tmp_path / "data")


def test_a_slice_without_a_cross_section_is_named(files, tmp_path):
    given = in_one_production(tmp_path, files, t="top")
    with pytest.raises(InputError, match=r"top\.root: states no cross-section, but .*a\.root does \(fevt/weights\)"):
        build(task("resampling=null"), given, tmp_path / "data")
    (tmp_path / "more").mkdir()
    given = in_one_production(tmp_path / "more", files)
    counted = [Sample("qcd", "qcd", given[0].paths, cross_section=1.0, generated=100),
               Sample("top", "top", given[1].paths, cross_section=1.0)]  # fmt: skip
    with pytest.raises(InputError, match=r"sample 'qcd' .*share it out among their events; leave out generated_events"):
        build(task("resampling=null"), counted, tmp_path / "data")
    summed = [replace(sample, generated=None, sum_of_weights=100.0) for sample in counted]
    with pytest.raises(InputError, match=r"sample 'qcd' .*share it out among their events; leave out sum_of_weights"):
        build(task("resampling=null"), summed, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_productions_number_their_events_alike_but_one_production_does_not_hold_any_twice(files, tmp_path):
    given = in_one_production(tmp_path, files, c={"seed": 11, "events": 19, "production": "hard"})
    assert build(task("resampling=null"), given, tmp_path / "data").manifest.duplicates == 0
    (tmp_path / "twice").mkdir()
    given = in_one_production(tmp_path / "twice", files, b={"seed": 11, "events": 19, "production": "soft"})
    with pytest.raises(InputError, match=r"b\.root: event 1:11:1 \(run:lumi:event\) occurs in it and in .*a\.root"):
        build(task("resampling=null"), given, tmp_path / "again")
