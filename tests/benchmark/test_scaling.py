"""``benchmark scaling``: the real training loop over ranks, and the same training with several batch sizes."""

import json
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.scaling import scaling_process
from e2egraph.benchmark.scaling.batch_sizes import scaled_learning_rate
from e2egraph.benchmark.scaling.communication import AllReduceTimer, Span, busy_seconds, exposed_seconds
from e2egraph.benchmark.scaling.cores import torch_threads
from e2egraph.benchmark.scaling.scaling import benchmark_scaling, efficiency
from e2egraph.benchmark.scaling.scaling_turn import WARM_UP_STEPS, Timing
from e2egraph.benchmark.storage.pivot import pivot
from e2egraph.cli import main
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("scaling") / "toy", 360, nodes=(10, 30))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def turns(monkeypatch):
    """Turns are noted instead of run; r ranks of t threads make 100·r·(1 + t) jets/s in strong scaling."""
    asked = []

    def run_turn(turn):
        asked.append(turn)
        jets = turn.steps * turn.batch_size
        seconds = jets / (100 * turn.ranks * (1 + turn.threads))
        return Timing("cpu", turn.steps, jets, seconds, seconds / 8, seconds / 4, seconds / 16)

    monkeypatch.setattr("e2egraph.benchmark.scaling.scaling.run_turn", run_turn)
    monkeypatch.setattr("e2egraph.benchmark.scaling.scaling.os.sched_getaffinity", lambda pid: set(range(8)))
    return asked


def found(records):
    return {(r.case, r.n, r.metric): r.value for r in records}


@pytest.mark.parametrize(
    ("rate", "reference", "ranks", "expected"), [(100, 100, 1, 1.0), (180, 100, 2, 0.9), (100, 100, 4, 0.25)]
)
def test_efficiency_is_the_speed_up_over_the_ranks(rate, reference, ranks, expected):
    assert efficiency(rate, reference, ranks) == pytest.approx(expected)


def test_the_cores_are_divided_and_each_case_has_its_reference_of_as_many_threads(turns, data, model):
    jets = len(read_table(data).jets_of("train"))
    records = benchmark_scaling(model, data, (2, 4), jets=40, settings=["training.batch_size=8"], repeats=2)
    asked = [(turn.ranks, turn.threads, turn.batch_size, turn.steps) for turn in turns]
    assert asked[:7] == asked[7:]  # cases take turns
    assert [turn.seed for turn in turns] == [1] * 7 + [2] * 7
    assert asked[:3] == [(1, 8, 8, 5), (1, 4, 8, 5), (1, 2, 8, 5)]
    assert asked[3:7] == [(2, 4, 8, 5), (2, 4, 16, 5), (4, 2, 8, 5), (4, 2, 32, jets // 32 - WARM_UP_STEPS - 1)]
    values = found(records)
    for ranks, threads in ((2, 4), (4, 2)):
        for way in ("strong", "weak"):
            case = f"tiny, {way}", ranks
            assert values[*case, "speed_up"] == pytest.approx(ranks)
            assert values[*case, "efficiency"] == pytest.approx(1)
            assert values[*case, "speed_up_over_all_cores"] == pytest.approx(ranks * (1 + threads) / 9)
            assert values[*case, "communication_share"] == pytest.approx(1 / 4)
            assert values[*case, "communication_exposed_share"] == pytest.approx(1 / 16)
            assert values[*case, "data_wait_share"] == pytest.approx(1 / 8)
    assert values["tiny, 1 rank of 8 threads", 1, "epoch_seconds"] == pytest.approx(jets / 900)
    assert values["tiny, strong", 2, "epoch_seconds"] == pytest.approx(jets / 1000)
    assert values["tiny, weak", 2, "epoch_seconds"] == pytest.approx(jets // 4 * 2 / 1000)
    notes = {(r.case, r.n, r.metric): r.note for r in records}
    assert "extrapolated from 5 of" in notes["tiny, strong", 2, "epoch_seconds"]
    assert notes["tiny, strong", 4, "speed_up"] == "against 1 rank of 2 threads, batch 8"


def test_on_gpus_all_ranks_have_equal_threads_and_no_more_ranks_than_gpus(turns, data, model, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    benchmark_scaling(model, data, (1, 2), settings=["training.batch_size=8"], repeats=1)
    assert [(turn.ranks, turn.threads) for turn in turns] == [(1, 4), (2, 4), (2, 4)]
    with pytest.raises(UsageError, match="--ranks 4: give numbers from 1 to 2"):
        benchmark_scaling(model, data, (4,))


def test_what_cannot_be_measured_is_refused_before_anything_runs(turns, data, model):
    with pytest.raises(UsageError, match="--ranks 9: give numbers from 1 to 8"):
        benchmark_scaling(model, data, (9,), settings=["training.batch_size=8"])
    with pytest.raises(InputError, match=r"fewer than 5 batches of 64; lower training\.batch_size or --ranks"):
        benchmark_scaling(model, data, (2,), settings=["training.batch_size=32"])
    with pytest.raises(UsageError, match="--ranks says how many"):
        benchmark_scaling(model, data, (2,), settings=["training.devices=2"])
    with pytest.raises(UsageError, match="nonesuch"):
        benchmark_scaling("nonesuch", data, (2,), settings=["training.batch_size=8"])
    assert turns == []


def test_busy_and_exposed_time_of_all_reduces():
    """Two backward passes: buckets that overlap, then ones with a gap between."""
    spans = [Span(0, 2, False), Span(1, 3, True), Span(10, 11, False), Span(12, 15, False), Span(14, 14.5, True)]
    assert busy_seconds(spans) == pytest.approx(3 + 1 + 3)
    assert exposed_seconds(spans) == pytest.approx((3 - 1) + (15 - 14))
    assert busy_seconds([]) == exposed_seconds([]) == 0


def test_the_timer_sees_every_bucket_and_leaves_the_gradients_as_they_are():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        torch.manual_seed(1)
        network = torch.nn.Sequential(*[torch.nn.Linear(300, 300) for _ in range(4)])
        timer = AllReduceTimer(torch.device("cpu"))
        strategy = SimpleNamespace(setup_module=lambda module: DistributedDataParallel(module, bucket_cap_mb=0.5))
        timer.watch(SimpleNamespace(world_size=2, strategy=strategy))
        wrapped = strategy.setup_module(network)
        inputs = torch.randn(8, 300)
        wrapped(inputs).square().mean().backward()
        network.zero_grad()
        timer.reset()
        start = time.perf_counter()
        wrapped(inputs).square().mean().backward()
        seconds = time.perf_counter() - start
        gradients = [parameter.grad.clone() for parameter in network.parameters()]
        spans = timer.spans()
    finally:
        dist.destroy_process_group()
    assert [span.last for span in spans] == [False] * (len(spans) - 1) + [True]
    assert len(spans) > 1
    assert 0 < exposed_seconds(spans) <= busy_seconds(spans) < seconds
    network.zero_grad()
    network(inputs).square().mean().backward()
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_a_lone_process_is_not_timed():
    strategy = SimpleNamespace(setup_module=None)
    timer = AllReduceTimer(torch.device("cpu"))
    timer.watch(SimpleNamespace(world_size=1, strategy=strategy))
    assert strategy.setup_module is None
    assert timer.spans() == []


def test_one_and_two_ranks_train_for_real(data, model, tmp_path, capsys, monkeypatch):
    """As on one core, where one rank of one thread is the only reference."""
    monkeypatch.setattr("e2egraph.benchmark.scaling.scaling.os.sched_getaffinity", lambda pid: {0})
    words = ["--data", str(data), "--model", model, "--ranks", "1,2", "--jets", "48", "--repeats", "1"]
    words += ["--output", str(tmp_path / "scaling.json"), "--set", "training.batch_size=16"]
    assert main(["benchmark", "scaling", *words]) == 0
    out = capsys.readouterr().out
    assert "| case | n | epoch_seconds | jets_per_second |" in out
    assert "next: " in out.splitlines()[-1]
    records = [Record(**record) for record in json.loads((tmp_path / "scaling.json").read_text())["records"]]
    assert all(count == 1 for count in Counter((r.case, r.n, r.metric) for r in records).values())
    values = found(records)
    for way in ("strong", "weak"):
        case = f"tiny, {way}", 2
        assert 0 < values[*case, "communication_exposed_share"] <= values[*case, "communication_share"] < 1
        assert 0 <= values[*case, "data_wait_share"] < 1
        assert values[*case, "efficiency"] == pytest.approx(values[*case, "speed_up"] / 2)
    notes = {(r.case, r.n, r.metric): r.note for r in records}
    note = notes["tiny, strong", 2, "jets_per_second"]
    assert note.startswith("2 × 1 thread, batch 16, 3 steps")
    assert "more ranks than cores (1)" in note
    jets = len(read_table(data).jets_of("train"))
    room = jets // 32 - WARM_UP_STEPS - 1
    assert f"batch 32, {min(3, room)} steps" in notes["tiny, weak", 2, "jets_per_second"]


def test_a_training_that_fails_in_its_process_is_reported_in_one_sentence(data, model, tmp_path, monkeypatch, capsys):
    def run(words, **options):
        """As a launcher of one process, without a process."""
        return SimpleNamespace(returncode=scaling_process.main(words[-1:]), stderr="")

    monkeypatch.setattr("e2egraph.benchmark.scaling.scaling_turn.subprocess.run", run)
    words = ["--data", str(data), "--model", model, "--ranks", "1", "--jets", "48", "--repeats", "1"]
    words += ["--output", str(tmp_path / "s.json"), "--set", "training.batch_size=16"]
    words += ["--set", "training.learning_rate=1e30", "--set", "training.optimizer=sgd"]
    with torch_threads(None):
        assert main(["benchmark", "scaling", *words]) == 1
    assert "ranks=1: training diverged" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


def test_a_process_that_is_killed_is_an_error(data, model, tmp_path, monkeypatch, capsys):
    done = SimpleNamespace(returncode=1, stderr="noise\nRuntimeError: gone\ntorch.x.ChildFailedError: \n")
    monkeypatch.setattr("e2egraph.benchmark.scaling.scaling_turn.subprocess.run", lambda words, **options: done)
    words = ["--data", str(data), "--model", model, "--ranks", "1", "--jets", "48"]
    words += ["--output", str(tmp_path / "s.json"), "--set", "training.batch_size=16"]
    assert main(["benchmark", "scaling", *words]) == 1
    assert "ranks=1: training failed (RuntimeError: gone)" in capsys.readouterr().err


@pytest.mark.parametrize(("rule", "expected"), [("none", 0.01), ("linear", 0.04), ("sqrt", 0.02)])
def test_the_learning_rate_follows_the_batch_size(rule, expected):
    assert scaled_learning_rate(0.01, 256, 64, rule) == pytest.approx(expected)


def test_each_batch_size_trains_for_the_same_epochs(data, model, tmp_path):
    words = ["--data", str(data), "--model", model, "--batch-sizes", "16,64", "--learning-rate-rule", "linear"]
    words += ["--output", str(tmp_path / "sizes.json"), "--repeats", "2", "--set", "training.epochs=2"]
    words += ["--set", "training.learning_rate=0.001", "--set", "training.batch_size=32"]
    assert main(["benchmark", "scaling", *words]) == 0
    values = found(Record(**record) for record in json.loads((tmp_path / "sizes.json").read_text())["records"])
    jets = len(read_table(data).jets_of("train"))
    for size in (16, 64):
        case = "tiny, batch size", size
        assert values[*case, "steps"] == 2 * -(-jets // size)
        assert values[*case, "learning_rate"] == pytest.approx(0.001 * size / 32)
        assert 0.4 < values[*case, "validation_auc"] <= 1
        assert values[*case, "validation_auc_deviation"] >= 0
        assert values[*case, "seconds"] > 0


@pytest.mark.parametrize("numbers", ["1,x", "0", "", "2,-1"])
def test_wrong_lists_of_numbers_are_refused(numbers, data, capsys):
    words = ["--data", str(data), "--model", "fcn", "--output", "x.json", "--ranks", numbers]
    assert main(["benchmark", "scaling", *words]) == 2
    assert "whole numbers from 1 with commas between" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "option"),
    [(["--learning-rate-rule", "sqrt"], "--learning-rate-rule"), (["--jets", "9", "--batch-sizes", "8"], "--jets")],
)
def test_options_without_effect_are_refused(words, option, data, capsys):
    assert main(["benchmark", "scaling", "--data", str(data), "--model", "fcn", "--output", "x.json", *words]) == 2
    assert f"e2egraph: {option}: " in capsys.readouterr().err


def test_the_table_has_a_row_for_each_size_and_a_column_for_each_metric():
    records = [Record("a", 1, "x", 1.5, ""), Record("a", 2, "x", 2.0, "s"), Record("a", 2, "y", 0.25, "")]
    assert pivot(records) == "| case | n | x | y |\n|---|---:|---:|---:|\n| a | 1 | 1.5 | – |\n| a | 2 | 2 | 0.25 |\n"
