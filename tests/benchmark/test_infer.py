"""``benchmark infer``: every model on the same jets, one thread, percentiles, ratios of CPU time."""

import json
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from e2egraph.benchmark.inference.infer import Times, benchmark_infer
from e2egraph.benchmark.inference.infer_jets import MADE_NODES, inference_jets
from e2egraph.benchmark.inference.infer_runner import benchmark_runner
from e2egraph.cli import main
from e2egraph.commands.benchmark.group import benchmark
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from tests.export.bundles import JetLinear, export
from tests.toy_dataset import write_toy_dataset

SMALL = ["--batch-sizes", "1,3", "--nodes", "20", "--rounds", "2", "--jets", "4"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("infer") / "toy", 80, nodes=(10, 60))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("infer") / "jet-linear"
    export(JetLinear().eval(), folder)
    return folder


def test_models_and_bundles_are_timed_on_the_same_jets(data: Path, bundle: Path, tmp_path: Path) -> None:
    output = tmp_path / "infer.json"
    words = ["--data", str(data), "--model", "resnet15", "--bundle", str(bundle), "--output", str(output)]
    assert main(["benchmark", "infer", *words, *SMALL]) == 0
    records = json.loads(output.read_text())["records"]
    assert all(count == 1 for count in Counter((r["case"], r["n"], r["metric"]) for r in records).values())
    found = {(r["case"], r["n"], r["metric"]): r["value"] for r in records}
    for case in ("resnet15", "jet-linear"):
        for size in (1, 3):
            for kind in ("latency", "cpu"):
                percentiles = [found[case, size, f"{kind}_ms_per_jet_p{p}"] for p in (10, 50, 90, 99)]
                assert percentiles[0] > 0
                assert percentiles == sorted(percentiles)
            median = found[case, size, "cpu_ms_per_jet_p50"]
            assert found[case, size, "jets_per_second"] == pytest.approx(1000 / median)
            ratio = median / found["resnet15", size, "cpu_ms_per_jet_p50"]
            assert found[case, size, "latency_ratio_to_resnet15"] == pytest.approx(ratio)
        assert found[case, 20, "latency_ms_p50_at_n_nodes"] > 0
        assert found[case, 2, "load_ms"] > 0
    assert found["jet-linear", 1, "model_bytes"] == (bundle / "model.onnx").stat().st_size
    # 90 194 weights in float32.
    assert 4 * 90_000 < found["resnet15", 1, "model_bytes"] < 5 * 90_000
    assert found["jet-linear", 1, "latency_ratio_to_resnet15"] < 1
    assert output.with_suffix(".md").read_text().count("| resnet15 |") == sum(r["case"] == "resnet15" for r in records)


def test_jets_are_the_test_jets_with_their_own_lengths(data: Path) -> None:
    table = read_table(data)
    numbers = table.jets_of("test")
    jets = inference_jets(data, 10_000)
    assert jets.number == len(numbers)
    lengths = [batch.mask.shape[1] for batch in jets.batches(1)]
    assert sorted(lengths) == sorted(table.columns["n_nodes"][numbers].tolist())
    sizes = [len(batch) for batch in jets.batches(7)]
    assert set(sizes) == {7}
    assert len(sizes) == -(-len(numbers) // 7)


def test_jets_are_made_where_there_is_no_data_set() -> None:
    jets = inference_jets(None, 6)
    batches = list(jets.batches(3))
    assert [len(batch) for batch in batches] == [3, 3]
    assert all(MADE_NODES[0] <= batch.mask.shape[1] < MADE_NODES[1] for batch in batches)


def test_a_call_is_timed_twice_over() -> None:
    class Session:
        def run(self, names: list[str], feed: dict) -> None:
            np.linalg.inv(np.eye(60))

    times = Times()
    times.call(Session(), ["softmax"], {})
    assert len(times.wall) == len(times.cpu) == 1
    assert times.wall[0] > 0


def test_two_cases_of_one_name_and_wrong_options_are_refused(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "jet-linear"
    export(JetLinear().eval(), other)
    with pytest.raises(UsageError, match="two models are named 'jet-linear'"):
        benchmark_infer(bundles=[bundle, other], jets=inference_jets(None, 1))
    with pytest.raises(InputError, match="no such bundle"):
        benchmark_infer(bundles=[tmp_path / "nothing"], jets=inference_jets(None, 1))
    for words, message in (
        (["--runner", "x"], "give all three or neither"),
        (["--set", "options.width=3"], "give --model"),
        (["--nodes", "0"], "whole numbers from 1"),
    ):
        result = CliRunner().invoke(benchmark, ["infer", "--output", str(tmp_path / "i.json"), *words])
        assert result.exit_code == 2
        assert message in result.output


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_runner_is_asked_as_it_wants_and_its_times_are_recorded(bundle: Path, tmp_path: Path) -> None:
    figures = {"mean": 0.5, "p50": 0.4, "p90": 0.9, "p99": 1.5, "jets": 12}
    timing = {"unit": "ms/jet"} | dict.fromkeys(("nodes", "tensors", "onnx_runtime"), figures)
    (tmp_path / "answer.json").write_text(json.dumps({"jets": [], "timing": timing}))
    runner = script(tmp_path / "e2e_infer", f'echo "$@" >> {tmp_path}/words\ncp {tmp_path}/answer.json "${{10}}"')
    records = benchmark_runner(runner, [bundle], tmp_path / "events.e2e", batch_sizes=[1, 16], rounds=2)
    found = {(r.case, r.n, r.metric): r.value for r in records}
    assert found["jet-linear", 16, "cpp_nodes_ms_per_jet_p99"] == 1.5
    assert found["jet-linear", 1, "cpp_ms_per_jet_mean"] == 1.5
    asked = (tmp_path / "words").read_text().splitlines()
    assert len(asked) == 4
    assert asked[0].startswith(f"{bundle} {tmp_path}/events.e2e --batch 1 --threads 1 --format json --output ")


def test_a_runner_that_fails_is_named_with_its_reason(bundle: Path, tmp_path: Path) -> None:
    for number, (text, message) in enumerate(
        (
            ("echo 'events.e2e: truncated; dump it again.' >&2; exit 1", r"fails on .*truncated; dump it again\)"),
            ('echo "{}" > "${10}"', "its output has no timing"),
        )
    ):
        runner = script(tmp_path / f"runner{number}", text)
        with pytest.raises(InputError, match=message):
            benchmark_runner(runner, [bundle], tmp_path / "events.e2e", batch_sizes=[1], rounds=1)
    with pytest.raises(InputError, match="cannot be run"):
        benchmark_runner(tmp_path / "absent", [bundle], tmp_path / "events.e2e", batch_sizes=[1], rounds=1)
