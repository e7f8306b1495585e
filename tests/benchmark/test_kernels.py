"""``benchmark kernels``: exponents and ratios follow from the times, and every graph network is measured."""

import json

import pytest
import torch
from onnxruntime import InferenceSession
from torch import nn

from e2egraph.benchmark.kernels.growth import growth_exponent
from e2egraph.benchmark.kernels.kernel_case import KernelCase
from e2egraph.benchmark.kernels.kernels import benchmark_kernels, full_jets, kernel_configs, records_of
from e2egraph.benchmark.settings import CPU, available_settings
from e2egraph.cli import main
from e2egraph.config import configs_folder
from e2egraph.tasks.task import load_task

TINY = ["--nodes", "8", "--nodes", "32", "--total-nodes", "32", "--width", "8", "--depth", "1", "--repeats", "1"]


def test_the_exponent_of_a_power_law_is_found():
    sizes = [256, 1024, 4096, 16384]
    assert growth_exponent(sizes, [3.0 * n**1.7 for n in sizes]) == pytest.approx(1.7)
    assert growth_exponent([4096, 16384], [2.0, 2.0]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("sizes", "costs"), [([5], [1.0]), ([5, 5], [1.0, 2.0]), ([5, 6], [1.0, 0.0])])
def test_an_exponent_of_too_little_is_refused(sizes, costs):
    with pytest.raises(ValueError, match="two different sizes"):
        growth_exponent(sizes, costs)


def synthetic_case(name, seconds):
    """A case whose every metric is ``seconds(n)``, measured three times with one outlier."""
    case = KernelCase(name, CPU, nn.Identity(), nn.Identity())
    for n in (1024, 4096):
        for metric in ("forward_seconds", "train_seconds", "train_memory_bytes", "kept_bytes"):
            case.figures[metric, n] = [seconds(n), 50.0 * seconds(n), seconds(n)]
    return case


def test_costs_of_one_jet_give_the_exponent_at_a_constant_number_of_nodes():
    linear, quadratic = synthetic_case("linear", lambda n: 3.0), synthetic_case("transformer", lambda n: n / 1024)
    records = records_of([linear, quadratic], [1024, 4096], 4096, "here")
    found = {(record.case, record.metric, record.n): record.value for record in records}
    for metric in ("growth_exponent", "forward_growth_exponent", "memory_growth_exponent"):
        assert found["linear", f"{metric}_1024_4096", 4096] == pytest.approx(1.0)
        assert found["transformer", f"{metric}_1024_4096", 4096] == pytest.approx(2.0)
    assert found["linear", "train_ratio_to_attention", 1024] == pytest.approx(3.0)
    assert found["linear", "train_ratio_to_attention", 4096] == pytest.approx(0.75)
    assert found["transformer", "train_seconds", 4096] == 4.0


def test_the_jets_are_full_and_the_same_at_every_call():
    points, features, mask, jet = full_jets(3, 11)
    assert (points.shape, mask.shape, len(features), len(jet)) == ((3, 11, 2), (3, 11), 3, 3)
    assert bool(mask.all())
    assert torch.equal(points, full_jets(3, 11)[0])
    assert len(points.reshape(-1, 2).unique(dim=0)) == 33


def test_every_shipped_graph_network_is_measured_beside_full_attention(tmp_path):
    assert main(["benchmark", "kernels", "--output", str(tmp_path / "kernels.json"), *TINY]) == 0
    records = json.loads((tmp_path / "kernels.json").read_text())["records"]
    found = {(r["case"], r["n"], r["metric"]): r["value"] for r in records}
    expected = {config.name for config in kernel_configs((), 8, 1)}
    assert {"gravnet", "transformer"} <= expected
    assert {case for case, _, _ in found} == expected
    for case in expected:
        for n in (8, 32):
            assert found[case, n, "train_memory_bytes"] > found[case, n, "kept_bytes"] > 0
            ratio = found[case, n, "train_seconds"] / found["transformer", n, "train_seconds"]
            assert found[case, n, "train_ratio_to_attention"] == pytest.approx(ratio)
        costs = [found[case, n, "train_memory_bytes"] * n for n in (8, 32)]
        exponent = growth_exponent((8, 32), costs)
        assert found[case, 32, "memory_growth_exponent_8_32"] == pytest.approx(exponent)


def test_the_named_networks_are_measured_alone_beside_full_attention():
    assert [config.name for config in kernel_configs(["gravnet"], 8, 1, attention=False)] == ["gravnet"]
    names = [config.name for config in kernel_configs(["gravnet"], 8, 1)]
    assert names == ["transformer", "gravnet"]
    options = kernel_configs(["gravnet"], 8, 1)[1].options
    assert (options["width"], options["depth"], options["merge"]) == (8, 1, [])


def test_networks_are_measured_on_what_a_task_gives_them():
    found = benchmark_kernels(
        ["window"], nodes=(32, 64), total_nodes=64, width=8, depth=1, repeats=1, task="rpv", attention=False
    )
    assert {record.case for record in found} == {"window"}
    assert {record.metric for record in found} >= {"train_seconds", "growth_exponent_32_64"}
    read = load_task("rpv").network_inputs
    points, features, _, _ = full_jets(2, 500, read)
    assert features.shape[-1] == read.n_features and points[..., 1].abs().max() > 2.0


def test_onnx_runtime_is_warm_and_notes_say_which_time_is_taken(monkeypatch):
    calls = []
    monkeypatch.setattr(InferenceSession, "run", lambda self, outputs, feeds: calls.append(feeds["points"].shape[2]))
    how = {"nodes": (16, 32), "total_nodes": 32, "width": 8, "depth": 1, "attention": False, "onnx": True}
    found = benchmark_kernels(["gravnet"], repeats=2, **how)
    assert calls == 3 * [16, 32]
    assert all(record.note.endswith("1 CPU thread, CPU time") for record in found if record.unit == "s")
    found = benchmark_kernels(["gravnet"], repeats=1, threads=2, **how)
    assert all(record.note.endswith("2 CPU threads") for record in found if record.unit == "s")


def test_networks_that_differ_in_merging_alone_are_measured_once(tmp_path):
    text = (configs_folder() / "models" / "gravnet.yaml").read_text()
    merged = text.replace("name: gravnet", "name: merged").replace("  merge: []\n", "  merge: [1, 4]\n")
    assert "[1, 4]" in merged
    (tmp_path / "merged.yaml").write_text(merged)
    names = [config.name for config in kernel_configs(["gravnet", str(tmp_path / "merged.yaml")], 8, 1)]
    assert names == ["transformer", "gravnet"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "resnet15"], "--model resnet15: not a graph network"),
        (["--model", "nothing"], "unknown model 'nothing'"),
        (["--nodes", "7", "--total-nodes", "32"], "--nodes 7: does not divide --total-nodes 32"),
        (["--against", ".", "--task", "rpv"], "--against: compares steps of torch on jets with one thread"),
        (["--against", ".", "--threads", "2"], "--against: compares steps of torch on jets with one thread"),
    ],
)
def test_wrong_use_is_refused_in_one_sentence(tmp_path, capsys, words, message):
    assert main(["benchmark", "kernels", "--output", str(tmp_path / "kernels.json"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "kernels.json").exists()


def test_a_gpu_is_measured_beside_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [setting.case("window") for setting in available_settings()] == ["window"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cases = [setting.case("window") for setting in available_settings()]
    assert cases == ["window", "window (GPU)", "window (GPU, compiled)"]
