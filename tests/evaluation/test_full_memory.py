"""Memory that is full while a run scores jets."""

import pytest

from e2egraph.errors import InputError
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
    remedy = r"out of memory with batches of 32 jets; lower data\.evaluation_batch_size .* in .*config\.yaml"
    monkeypatch.setenv("FRAGILE", f"eval:2:{fault}")
    with pytest.raises(InputError, match=remedy):
        predict_run(run, data, scores)
    monkeypatch.setenv("FRAGILE", f"eval:1:{fault}")
    with pytest.raises(InputError, match=remedy):
        evaluate(run)
    assert not scores.exists()
    assert not (run / "metrics.json").exists()
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("evaluation_batch_size: 32", "evaluation_batch_size: 8"))
    monkeypatch.delenv("FRAGILE")
    assert len(predict_run(run, data, scores)) == 100
    assert evaluate(run, plots=False).jets > 0
