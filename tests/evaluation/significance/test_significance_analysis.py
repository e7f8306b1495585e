import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml
from matplotlib.image import imread

from e2egraph.cli import main
from e2egraph.config import config_names, find_config
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.evaluation.significance.analysis import Analysis, ClassYield, expected_jets, load_analysis
from e2egraph.evaluation.significance.counting import Jets
from e2egraph.evaluation.significance.scan import significance
from e2egraph.evaluation.significance.write import write_significance
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

CONTENT = {
    "title": "Toy <tops>",
    "luminosity": 2.0,
    "classes": {"qcd": {"cross_section": 3.0}, "top": {"cross_section": 0.02}},
    "background_uncertainty": 0.05,
    "selection": "50 < softdrop_mass < 230 and tau32 < 0.95",
    "note": "numbers of a toy",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 400, nodes=(0, 30))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("runs")
    settings = ("training.epochs=2", "training.batch_size=16", "training.learning_rate=0.01")
    train(write_tiny_model(folder), data, folder / "tiny", settings=settings, progress=False)
    return folder / "tiny"


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "tiny")


def written(tmp_path, **changes):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(CONTENT | changes))
    return str(path)


def yields_of(manifest, analysis, weight=None, label=None, split="test"):
    label = np.array([0, 0, 0, 1, 1]) if label is None else label
    weight = np.ones(len(label)) if weight is None else weight
    found, limits = expected_jets(analysis, manifest, label, weight, split)
    return found, limits


def analysis(qcd, top):
    return Analysis(title="", luminosity=2.0, classes={"qcd": ClassYield(**qcd), "top": ClassYield(**top)})


@pytest.fixture
def manifest(data):
    """Like the toy's, but with 30 and 20 jets, 3 and 2 of which are in the test split."""
    table = read_table(data)
    counts = {"qcd": {"train": 27, "validation": 0, "test": 3}, "top": {"train": 18, "validation": 0, "test": 2}}
    return table.manifest, counts


def changed(manifest, counts, **configuration):
    flow = {
        name: {"events": 500, "jets": 200, "truth": 90, "resampling": sum(counts[name].values())} for name in counts
    }
    flow["top"]["truth"] = 20
    return replace(manifest, counts=counts, cutflow=flow, configuration=manifest.configuration | configuration)


def test_jets_share_cross_section_times_acceptance_times_luminosity_by_their_weights(manifest):
    yields, limits = yields_of(
        manifest[0],
        analysis({"cross_section": 4.0, "acceptance": 0.5}, {"cross_section": 0.1}),
        np.array([1, 2, 0, 1, 3]),
    )
    np.testing.assert_allclose(
        yields, np.array([1 / 3, 2 / 3, 0, 0, 0]) * 4_000 + np.array([0, 0, 0, 0.25, 0.75]) * 200
    )
    assert limits == []


def test_weights_of_simulation_with_cross_sections_are_events_at_one_per_fb(manifest):
    of_weights = analysis({"from_weights": True}, {"from_weights": True})
    weight = np.array([0.5, 2.0, 0.0, 0.1, 0.3])
    # A tenth of the objects is in the split; 2/fb.
    yields, _ = yields_of(changed(*manifest), of_weights, weight)
    np.testing.assert_allclose(yields, 2.0 * 10.0 * weight)
    resampled = changed(*manifest, resampling={"reference": "top", "method": "drop"})
    with pytest.raises(InputError, match="'from_weights' of class 'qcd' says nothing where"):
        yields_of(resampled, of_weights, weight)
    with pytest.raises(InputError, match="class 'top' in split 'test' have weights below 0"):
        yields_of(changed(*manifest), of_weights, np.array([1, 1, 1, 1, -0.1]))
    with pytest.raises(ValueError, match="from_weights takes neither acceptance nor generated"):
        ClassYield(from_weights=True, acceptance=0.5)
    with pytest.raises(ValueError, match="give either cross_section or from_weights"):
        ClassYield(cross_section=1.0, from_weights=True)


def test_generated_events_weigh_cross_section_times_luminosity_over_their_number(manifest):
    # A tenth of the jets is in the split, as a tenth of the events: w = σ L / (N/10).
    plain = changed(*manifest)
    both = analysis({"cross_section": 4.0, "generated": 500}, {"cross_section": 0.1, "generated": 400})
    np.testing.assert_allclose(yields_of(plain, both)[0], [4_000 * 2 / 50] * 3 + [100 * 2 / 40] * 2)
    # 30 of the 90 jets that passed are left: each stands for three.
    resampled = changed(*manifest, resampling={"reference": "top", "method": "drop"})
    yields, limits = yields_of(resampled, both)
    np.testing.assert_allclose(yields, [3 * 4_000 * 2 / 50] * 3 + [100 * 2 / 40] * 2)
    assert any("pT spectra were brought to that of top" in limit for limit in limits)
    reweighted = changed(*manifest, resampling={"reference": "top", "method": "reweight"})
    with pytest.raises(InputError, match="'generated' of class 'qcd'"):
        yields_of(reweighted, both)


def test_what_cannot_be_scaled_or_should_not_be_trusted_is_said(manifest):
    one = analysis({"cross_section": 1.0}, {"cross_section": 1.0})
    with pytest.raises(InputError, match="no objects of class 'top' with weight in split 'test'"):
        yields_of(manifest[0], one, label=np.zeros(5))
    with pytest.raises(InputError, match="no objects of class 'qcd'"):
        yields_of(manifest[0], one, weight=np.array([0, 0, 0, 1, 1]))
    assert any("training objects" in limit for limit in yields_of(manifest[0], one, split="train")[1])


def test_the_shipped_analysis_fits_the_shipped_task(data):
    assert "top" in config_names("analyses")
    shipped, cuts = load_analysis("top", read_table(data).manifest)
    assert "illustration" in shipped.note
    assert set(cuts.columns) == {"softdrop_mass", "tau32"}
    assert find_config("analyses", "top").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"luminosity": 0}, "'luminosity' is wrong"),
        ({"luminosity": float("inf")}, "'luminosity' is wrong"),
        ({"lumi": 1}, "unknown key 'lumi'"),
        ({"classes": {"qcd": {"cross_section": 1.0}}}, "yields of qcd, but the data set's classes are qcd, top"),
        ({"classes": CONTENT["classes"] | {"w": {"cross_section": 1.0}}}, "yields of qcd, top, w"),
        ({"classes": CONTENT["classes"] | {"qcd": {"cross_section": -1.0}}}, "'classes.qcd.cross_section' is wrong"),
        (
            {"classes": CONTENT["classes"] | {"qcd": {"cross_section": 1.0, "acceptance": 1.0, "generated": 1.0}}},
            "give acceptance or generated, not both",
        ),
        ({"background_uncertainty": -0.1}, "'background_uncertainty' is wrong"),
        ({"minimum_background_jets": 0}, "'minimum_background_jets' is wrong"),
        ({"selection": "softdrop_mas > 1"}, "no object quantity 'softdrop_mas'"),
    ],
)
def test_analyses_that_make_no_sense_are_refused_before_a_jet_is_scored(run, tmp_path, changes, message):
    before = sorted(path.name for path in run.iterdir())
    with pytest.raises(UsageError, match=message):
        evaluate(run, analysis=written(tmp_path, **changes))
    with pytest.raises(UsageError, match="unknown analysis 'bottom'; choose one of rpv, top"):
        evaluate(run, analysis="bottom")
    assert sorted(path.name for path in run.iterdir()) == before


def test_an_evaluation_with_an_analysis_writes_its_significance_and_one_without_removes_it(run, data, tmp_path, capsys):
    arguments = ["evaluate", str(run), "--data", str(data), "--analysis", written(tmp_path), "--no-report"]
    assert main(arguments) == 0
    assert "Expected significance at 2/fb: Z = " in capsys.readouterr().out
    text = (run / "significance.json").read_text()
    content = json.loads(text, parse_constant=pytest.fail)
    assert str(tmp_path) not in text
    assert content["analysis"]["title"] == "Toy <tops>"
    assert content["data_set"] == read_table(data).manifest.digest
    test = read_table(data, extra=("softdrop_mass", "tau32"))
    jets = test.jets_of("test")
    mass, tau32, label = (test.columns[name][jets] for name in ("softdrop_mass", "tau32", "label"))
    passing = (mass > 50) & (mass < 230) & (tau32 < 0.95)
    cuts = content["cuts"]["counting"]
    assert cuts["signal"] == pytest.approx(0.02 * 2_000 * passing[label == 1].mean())
    assert cuts["background"] == pytest.approx(3.0 * 2_000 * passing[label == 0].mean())
    assert content["signal_jets"] + content["background_jets"] == len(jets)
    assert content["optimum"]["z_asimov"] > 0
    page = (run / "significance.md").read_text()
    assert page.startswith("# Toy <tops>")
    for row in (content["optimum"], content["cuts"]["counting"]):
        assert f" {row['z_asimov']:.2f} |" in page
    assert f"{content['cuts']['ratio']:.3f} ± {content['cuts']['ratio_error']:.3f} times" in page
    assert "- numbers of a toy" in page
    assert "- All objects are simulated" in page
    assert imread(run / "significance.png")[..., :3].std() > 0.05
    assert (run / "significance.pdf").read_bytes().startswith(b"%PDF")
    evaluate(run, data, plots=False)
    assert not list(run.glob("significance*"))


@pytest.mark.parametrize(("runs", "simulated"), [([1, 1, 1], True), ([1, 320_000, 1], False)])
def test_the_page_says_that_jets_are_simulated_whatever_the_note_and_only_if_all_are(tmp_path, runs, simulated):
    rng = np.random.default_rng(0)
    is_signal = np.arange(300) < 100
    jets = Jets(rng.normal(0, 1, 300) + is_signal, np.ones(300), is_signal.astype(int), is_signal, None)
    silent = analysis({"cross_section": 1.0}, {"cross_section": 1.0})
    result = significance(jets, silent, resamples=10)
    write_significance(result, silent, tmp_path, {}, np.array(runs), plots=False)
    page = (tmp_path / "significance.md").read_text()
    assert ("\n- All objects are simulated" in page and "not CMS simulation" in page) == simulated
    assert ("simulat" in page) == simulated
    assert "\n- expected objects, each counted" in page
    assert not list(tmp_path.glob("*.p*"))


def test_a_selection_that_is_no_number_for_some_jets_is_refused(run, tmp_path):
    selection = "tau32 / (n_pv - 10) / 0 * (n_pv - 10) > 2"
    with pytest.raises(InputError, match=r"is no number for \d+ objects"):
        evaluate(run, analysis=written(tmp_path, selection=selection))


def test_a_split_without_enough_background_is_refused_before_a_jet_is_scored(run, data, tmp_path):
    table = read_table(data)
    background = int((table.columns["label"][table.jets_of("test")] == 0).sum())
    with pytest.raises(InputError, match=rf"{background}\.0 background jets .* asks for {background + 1} beyond"):
        evaluate(run, analysis=written(tmp_path, minimum_background_jets=background + 1))
    assert not (run / "scores.parquet").exists()
