"""Training from Python: settings as keywords, and networks of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import e2egraph as e2e
from e2egraph.cli import main
from e2egraph.config import configuration
from tests.toy_dataset import write_toy_dataset


class Sums(torch.nn.Module):
    """A network as a user writes one, with no word of this package."""

    def __init__(self, features: int = 17, columns: int = 2) -> None:
        super().__init__()
        self.node = torch.nn.Linear(2 + features, 8)
        self.head = torch.nn.Linear(8, columns)

    def forward(self, points, features, mask, jet):
        nodes = self.node(torch.cat([points, features.asinh()], dim=2)).relu()
        return self.head((nodes * mask.unsqueeze(2)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1))


@configuration
class Options:
    """``width``: of the nodes' vectors."""

    width: int = 8


class Configured(Sums):
    """The same by the contract of classes."""

    Options = Options

    def __init__(self, options, inputs, outputs) -> None:
        super().__init__(inputs.n_features, outputs.size)
        assert options.width == 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", 120, nodes=(1, 40))


def sums(data: Path) -> Sums:
    torch.manual_seed(4)
    return Sums(e2e.Dataset(data).inputs.n_features)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> e2e.Run:
    folder = tmp_path_factory.mktemp("runs") / "sums"
    return e2e.train(sums(data), data, folder, epochs=2, learning_rate=1e-5, training_jets=40, progress=False)


def test_keywords_are_keys_of_the_recipe_and_all_others_are_settings(run: e2e.Run) -> None:
    recipe = run.info.recipe
    assert (recipe.training.epochs, recipe.training.learning_rate, recipe.data.training_jets) == (2, 1e-5, 40)
    assert run.summary["training_jets"] == 40 and run.summary["model"] == run.info.model.name == "sums"


def test_a_network_object_is_trained_as_a_copy(run: e2e.Run, data: Path, tmp_path: Path) -> None:
    start, trained = sums(data).state_dict(), run.network
    given = run.given
    assert given is not None
    for name, tensor in given.state_dict().items():
        torch.testing.assert_close(tensor, start[name], rtol=0, atol=0)
    assert any(not torch.equal(trained.get_parameter(f"network.{name}"), start[name]) for name in start)
    found = e2e.evaluate(run, output=tmp_path / "out", plots=False)
    assert 0 <= found.metrics["auc"] <= 1
    scores = run.predict(data)
    batch = e2e.collate([e2e.Dataset(data, split=None)[0]])
    with torch.no_grad():
        expected = trained(*batch.inputs).softmax(1).numpy()
    np.testing.assert_allclose(scores.values[:1], expected, atol=1e-6)
    tagger = run.export(tmp_path / "bundle")
    np.testing.assert_allclose(tagger.predict(data).values, scores.values, atol=1e-5)


def test_a_network_may_keep_a_state_of_its_own(data: Path, tmp_path: Path) -> None:
    class WithState(Sums):
        def get_extra_state(self) -> dict[str, int]:
            return {"version": 1}

        def set_extra_state(self, state: dict[str, int]) -> None:
            self.version = state["version"]

    network = WithState(e2e.Dataset(data).inputs.n_features)
    run = e2e.train(network, data, tmp_path / "run", epochs=1)
    assert len(run.predict(data)) == 120


def test_a_run_of_a_network_object_needs_one_like_it(run: e2e.Run, data: Path, capsys) -> None:
    again = e2e.load(run.folder, network=Sums(e2e.Dataset(data).inputs.n_features))
    np.testing.assert_array_equal(again.predict(data).values, run.predict(data).values)
    with pytest.raises(e2e.UsageError, match=r"an object of class tests\.api\.test_train:Sums, which only its own"):
        e2e.load(run.folder).predict(data)
    with pytest.raises(e2e.UsageError, match="with other weights than the one of class"):
        e2e.load(run.folder, network=Sums(5)).predict(data)
    assert main(["evaluate", str(run.folder)]) == 2
    assert "e2egraph.load(RUN, network=…)" in capsys.readouterr().err


def test_a_class_is_made_by_its_contract_and_found_again_by_commands(data: Path, tmp_path: Path) -> None:
    made = e2e.train(Configured, data, tmp_path / "run", epochs=1, settings={"model.options.width": 4}, progress=False)
    assert made.info.model.network == "tests.api.test_train:Configured" and made.info.model.options == {"width": 4}
    assert main(["evaluate", str(made.folder), "--no-report"]) == 0


def test_a_network_that_does_not_fit_is_refused_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    features = e2e.Dataset(data).inputs.n_features

    class Local(torch.nn.Module):
        pass

    lazy, frozen = Sums(features), Sums(features).requires_grad_(False)
    lazy.head = torch.nn.LazyLinear(2)
    wrong = (
        (lazy, r"Sums: head\.weight has no shape yet; run the network once"),
        (frozen, "network sums has no weights to train; unfreeze some"),
        (Sums(3), r"network tests\.api\.test_train:Sums fails on points \[2, 3, 2\]"),
        (Sums(features, 5), r"gives \(2, 5\) for 2 objects; make it give \(2, 2\)"),
        (Local, "is defined inside something else"),
        (Sums, "has no Options configuration class"),
        ("gravnets", "unknown model 'gravnets'"),
        (int, "int is not a torch.nn.Module"),
    )
    for network, reason in wrong:
        with pytest.raises(e2e.UsageError, match=reason):
            e2e.train(network, data, tmp_path / "run", epochs=1)
    for options, reason in (
        ({"epoch": 3}, r"unknown setting 'epoch' \(did you mean 'epochs'\?\); give one of .*epochs"),
        ({"nodes": 2}, r"'nodes' may be training\.nodes or data\.nodes"),
        ({"epochs": "many"}, "'training.epochs' is wrong"),
        ({"settings": {"training.epochs": object()}}, "is of type object"),
    ):
        with pytest.raises(e2e.UsageError, match=reason):
            e2e.train("gravnet", data, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
    assert "tests.api.test_train" in sys.modules


def test_arrays_and_paths_are_settings_wherever_they_stand() -> None:
    from e2egraph.api.settings import as_texts
    from e2egraph.config import override

    value = {"edges": np.array([400.0, 500.5]), "names": np.array(["ECAL", "HCAL"]), "of": [np.int64(3), Path("a/b")]}
    plain = {"edges": [400.0, 500.5], "names": ["ECAL", "HCAL"], "of": [3, "a/b"]}
    assert override({}, as_texts({"a.b": value, "c": torch.tensor([1, 2])})) == {"a": {"b": plain}, "c": [1, 2]}
    with pytest.raises(e2e.UsageError, match=r"value of 'a' is of type list with something else in it; give a number"):
        as_texts({"a": [object()]})


@pytest.mark.parametrize("value", [1e-5, 3, True, None, "1e-5", "yes", [1, 2], (0.5,), {"a": [1]}, np.float32(0.5)])
def test_a_setting_keeps_its_value_on_the_way_through_text(value: object) -> None:
    from e2egraph.api.settings import as_texts
    from e2egraph.config import override

    (text,) = as_texts({"a.b": value})
    expected = list(value) if isinstance(value, tuple) else value
    assert override({}, [text]) == {"a": {"b": expected}}
    assert as_texts(["a.b=1"]) == ["a.b=1"] and as_texts(None) == []
