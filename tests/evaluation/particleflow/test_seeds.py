"""A network with several seeds in a comparison of particle flow: means, errors with the seeds' spread, p-values."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t

from e2egraph.cli import main
from e2egraph.evaluation.particleflow.columns import PERFECT, PUPPI, RULES, TARGET, read_events
from e2egraph.evaluation.particleflow.compare import compare
from e2egraph.evaluation.particleflow.figures import Collected, Comparison
from e2egraph.graphs.storage.manifest import read_manifest
from tests.evaluation.particleflow.candidates import write_targets

WHERE = ("part", "quantity", "bin")


@pytest.fixture(scope="module")
def events(flow_data):
    return read_events(flow_data)


def collected(values, number=100, reference=RULES):
    """The comparison of columns with these values over resamples; names with a digit are seeds of ``network``."""
    seeds = tuple(name for name in values if name[-1].isdigit())
    names = tuple(dict.fromkeys("network" if name in seeds else name for name in values))
    found = Collected(Comparison(1, names, reference), {"network": seeds} if seeds else {})
    for name, each in values.items():
        found.add(*WHERE, np.asarray(each), number, column=name)
    found.finish()
    return {figure.column: figure for figure in found.comparison.figures}


def test_a_network_with_seeds_has_their_mean_and_their_spread_in_its_error():
    draws = np.random.default_rng(1).normal(0.0, 1.0, (4, 1000))
    values = [np.append(mean, mean + width * each) for mean, width, each in
              zip((12.0, 9.0, 9.3, 8.4), (0.1, 0.2, 0.2, 0.2), draws, strict=True)]  # fmt: skip
    found = collected(dict(zip((RULES, "seed 1", "seed 2", "seed 3"), values, strict=True)))
    network = found["network"]
    mean = np.mean(values[1:], axis=0)
    of_seeds = np.std([9.0, 9.3, 8.4], ddof=1) / np.sqrt(3)
    assert list(found) == [RULES, "network"]
    assert network.value == pytest.approx(8.9)
    assert network.seeds == (9.0, 9.3, 8.4)
    assert network.error == pytest.approx(np.hypot(mean[1:].std(ddof=1), of_seeds))
    assert network.difference == pytest.approx(8.9 / 12.0 - 1.0)
    assert network.difference_error == pytest.approx(np.hypot((mean / values[0])[1:].std(ddof=1), of_seeds / 12.0))
    # Welch: only the seeds' part, of two degrees of freedom, is uncertain itself.
    by_events = (mean - values[0])[1:].std(ddof=1)
    whole = np.hypot(by_events, of_seeds)
    expected = 2.0 * t.sf(3.1 / whole, 2.0 * whole**4 / of_seeds**4)
    assert network.p_value == pytest.approx(expected, rel=1e-6)
    assert network.log10_p_value == pytest.approx(np.log10(expected), rel=1e-6)


def test_a_p_value_does_not_depend_on_which_column_is_the_reference():
    rng = np.random.default_rng(2)
    values = {name: np.append(mean, rng.normal(mean, 0.4, 500)) for name, mean in ((RULES, 2.0), ("other", 0.9))}
    one, back = collected(values)["other"], collected(values, reference="other")[RULES]
    assert one.p_value == back.p_value
    plain = values["other"] - values[RULES]
    assert one.p_value == pytest.approx(2.0 * norm.sf(1.1 / plain[1:].std(ddof=1)))


def test_under_ten_members_there_is_neither_error_nor_difference():
    values = {RULES: [1.0, 0.9, 1.1], "other": [2.0, 2.2, 1.9]}
    few, enough = collected(values, number=9)["other"], collected(values, number=10)["other"]
    assert few.value == enough.value == 2.0
    assert np.isnan(few.error) and few.difference is None
    assert enough.error > 0 and enough.difference == pytest.approx(1.0)


def test_few_members_have_a_difference_and_no_p_value():
    values = {RULES: [1.0, 0.9, 1.1], "other": [2.0, 2.2, 1.9]}
    few, enough = collected(values, number=99)["other"], collected(values, number=100)["other"]
    assert few.difference == enough.difference == pytest.approx(1.0)
    assert few.p_value is None and few.log10_p_value is None
    assert enough.p_value < 0.01


def test_a_figure_that_one_seed_does_not_have_is_none_of_the_network():
    comparison = Collected(Comparison(1, (RULES, "network"), RULES), {"network": ("seed 1", "seed 2")})
    for name in (RULES, "seed 1"):
        comparison.add(*WHERE, np.array([1.0, 1.1, 0.9]), 100, column=name)
    comparison.finish()
    assert [figure.column for figure in comparison.comparison.figures] == [RULES]


def test_seeds_of_one_name_are_one_column_between_their_single_ones(events):
    less, more = (replace(events.gen, pt=factor * events.gen.pt, energy=factor * events.gen.energy)
                  for factor in (0.9, 1.1))  # fmt: skip
    columns = {**events.columns, "less": less, "more": more}
    with_seeds = replace(events, columns=columns, seeds={"network": ("less", "more")})
    found = compare(with_seeds, resamples=5)
    own = (RULES, PUPPI, TARGET, PERFECT)
    assert found.columns == (*own, "network")
    figure = found.value("jets", "median response", "50-100 GeV", "network")
    assert figure.seeds == pytest.approx((0.9, 1.1))
    assert figure.value == pytest.approx(1.0)
    # Half the distance of two seeds is the error of their mean, whatever the events.
    assert figure.error == pytest.approx(0.1, rel=1e-6)
    assert found.as_json()["columns"] == [*own, "network"]
    against = compare(with_seeds, resamples=5, reference="network")
    assert against.value("jets", "resolution", "50-100 GeV", RULES).difference > 0


def test_files_of_one_name_are_seeds_and_one_of_them_twice_is_refused(events, flow_data, tmp_path, capsys):
    digest = read_manifest(flow_data).digest
    one = write_targets(tmp_path / "one.parquet", events, digest)
    other = write_targets(tmp_path / "other.parquet", events, digest, pt=0.9 * events.columns[TARGET].pt)
    words = ["compare-particles", flow_data, "--output", tmp_path / "out", "--split", "all", "--resamples", 3,
             "--display", 1, "--candidates", f"network={one}"]  # fmt: skip
    words = [str(word) for word in words]
    assert main([*words, "--candidates", f"network={other}"]) == 0
    table = (tmp_path / "out" / "particle_flow.md").read_text()
    assert "| quantity | bin | n | rules | rules with PUPPI | target | perfect association | network |" in table
    assert main([*words, "--candidates", f"network={one}"]) == 1
    said = capsys.readouterr().err
    soft = write_targets(tmp_path / "soft.parquet", events, digest, decoding="soft",
                         probability=np.full(len(events.columns[TARGET]), 0.9))  # fmt: skip
    assert main([*words, "--candidates", f"network={soft}"]) == 1
    assert "some of its files are decoded soft and others hard; predict all its seeds alike" in capsys.readouterr().err
    assert f"--candidates network: {one} and {one} hold the same particles; give each seed's file once." in said
