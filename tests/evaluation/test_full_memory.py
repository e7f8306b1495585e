"""Memory that is full while a run scores jets."""

import pytest

from e2egraph.cli import main
from e2egraph.data.loading.loader import evaluation_loader
from e2egraph.errors import InputError
from e2egraph.evaluation import predictions
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.evaluation.predictions import predict_run
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model


@pytest.mark.parametrize("fault", ["device", "machine", "python"])
def test_full_memory_names_the_batch_size_and_the_same_command_then_succeeds(tmp_path, monkeypatch, fault):
    data = write_toy_dataset(tmp_path / "data", 100, nodes=(0, 10))
    run, scores = tmp_path / "run", tmp_path / "scores.parquet"
    settings = ("training.epochs=1", "training.loggers=[]", "data.evaluation_batch_size=32")
    train(write_fragile_model(tmp_path), data, run, settings=settings, progress=False)
    config = (run / "config.yaml").read_bytes()
    remedy = r"out of memory with batches of 32 jets; give the same command with --set data\.evaluation_batch_size=16 "
    monkeypatch.setenv("FRAGILE", f"eval:2:{fault}")
    with pytest.raises(InputError, match=remedy):
        predict_run(run, data, scores)
    monkeypatch.setenv("FRAGILE", f"eval:1:{fault}")
    with pytest.raises(InputError, match=remedy):
        evaluate(run)
    assert not scores.exists()
    assert not (run / "metrics.json").exists()
    monkeypatch.delenv("FRAGILE")
    sizes = []
    monkeypatch.setattr(
        predictions, "evaluation_loader", lambda *given, **named: Watched(sizes, evaluation_loader(*given, **named))
    )
    less = ("--set", "data.evaluation_batch_size=16", "--set", "data.pool_jets=64")
    assert main(["predict", str(run), "--data", str(data), "--output", str(scores), *less]) == 0
    assert main(["evaluate", str(run), "--no-report", *less]) == 0
    assert main(["predict", str(run), "--data", str(data), "--output", str(scores), "--batch-size", "8"]) == 0
    assert [max(each) for each in sizes] == [16, 16, 8]
    assert (run / "config.yaml").read_bytes() == config
    assert main(["evaluate", str(run), "--set", "data.nodes.cap=5"]) == 2
    assert main(["evaluate", str(run), "--set", "data.pool_jets=none"]) == 2


class Watched:
    """The loader, and the sizes of its batches noted."""

    def __init__(self, sizes, loader):
        self.sizes, self.loader = sizes, loader

    def to(self, device):
        self.sizes.append([])
        for batch in self.loader.to(device):
            self.sizes[-1].append(len(batch))
            yield batch
