import io
import json
import sys
import types
from typing import ClassVar

import pytest
from rich.console import Console
from tensorboardX.proto import event_pb2
from tfrecord.reader import tfrecord_iterator

from e2egraph.errors import InputError
from e2egraph.tasks.objectives.objective import Best
from e2egraph.tasks.objects.naming import ObjectName
from e2egraph.training.runs.history import EpochRow
from e2egraph.training.runs.loggers import make_loggers
from e2egraph.training.runs.progress import ProgressLines
from e2egraph.training.runs.tensorboard import TensorBoardLog
from e2egraph.training.steps.watchers import StepReport
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

ROW = EpochRow(2, 0.01, {"loss": 0.5, "auc": 0.8}, {"loss": 0.4, "auc": 0.9}, 10.0, 123.0, 0.02)
BEST = Best("auc", "AUC", highest=True)
REPORT = StepReport(
    epoch=2,
    batch=30,
    batches=40,
    step=100,
    learning_rate=0.01,
    loss=0.25,
    jets=640,
    seconds=4.0,
    waited=0.1,
    remaining=3700,
)


def events(folder):
    found = []
    for path in sorted((folder / "tensorboard").iterdir()):
        found += [event_pb2.Event.FromString(bytes(record)) for record in tfrecord_iterator(str(path))]
    return found


def scalars(folder):
    return {(value.tag, event.step): value.simple_value for event in events(folder) for value in event.summary.value}


def test_tensorboard_gets_the_figures_of_steps_and_epochs(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.on_start(0)
    log.on_step(REPORT)
    log.on_epoch_end(ROW, 120)
    log.close()
    found = scalars(tmp_path)
    assert found["step/loss", 100] == pytest.approx(0.25)
    assert found["step/jets_per_second", 100] == pytest.approx(160.0)
    assert found["step/data_wait_share", 100] == pytest.approx(0.025)
    assert found["epoch/validation_auc", 120] == pytest.approx(0.9)


def test_a_run_that_goes_on_tells_tensorboard_to_forget_what_came_later(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.on_start(77)
    log.close()
    (start,) = [event for event in events(tmp_path) if event.HasField("session_log")]
    assert (start.session_log.status, start.step) == (event_pb2.SessionLog.START, 78)


class FakeLogger:
    made: ClassVar[list] = []

    def __init__(self, **options):
        self.options, self.metrics, self.ended = options, [], None
        self.version = options.get("id") or "run-1"
        self.experiment, self.finished = self, None
        FakeLogger.made.append(self)

    def log_hyperparams(self, settings):
        self.settings = settings

    def log_metrics(self, metrics, step):
        self.metrics.append((step, metrics))

    def finalize(self, status):
        self.ended = status

    def finish(self, exit_code):
        self.finished = exit_code


class FakeMLFlowLogger(FakeLogger):
    @property
    def run_id(self):
        return self.options["run_id"] or "mlflow-1"

    @property
    def finish(self):
        raise AttributeError("MLflow's runs have no finish")

    @property
    def version(self):
        return None

    @version.setter
    def version(self, value):
        pass

    @property
    def finished(self):
        raise AttributeError

    @finished.setter
    def finished(self, value):
        pass


@pytest.fixture
def service(monkeypatch):
    module = types.ModuleType("lightning.pytorch.loggers")
    module.WandbLogger, module.MLFlowLogger = FakeLogger, FakeMLFlowLogger
    monkeypatch.setitem(sys.modules, "lightning.pytorch.loggers", module)
    FakeLogger.made = []
    return FakeLogger.made


def test_a_service_gets_settings_and_figures_and_the_same_run_when_it_goes_on(tmp_path, service):
    for step in (0, 5):
        (log,) = make_loggers(("wandb",), tmp_path, {"seed": 1})
        log.on_start(step)
        log.on_step(REPORT)
        log.on_epoch_end(ROW, 120)
        log.on_end(step == 5)
        log.close()
    first, second = service
    assert first.settings == {"seed": 1}
    assert first.options["id"] is None
    assert second.options["id"] == "run-1"
    assert [step for step, _ in first.metrics] == [100, 120]
    assert first.metrics[1][1]["epoch/validation_auc"] == 0.9
    assert (first.ended, first.finished) == ("KILLED", 1)
    assert (second.ended, second.finished) == ("success", 0)


def test_mlflow_gets_the_same_and_is_told_how_the_run_ended(tmp_path, service):
    for number in range(3):
        (log,) = make_loggers(("mlflow",), tmp_path, {"seed": 1})
        log.on_start(0)
        log.on_epoch_end(ROW, 120)
        if number:
            log.on_end(number == 2)
        log.close()
    assert [logger.options["run_id"] for logger in service] == [None, "mlflow-1", "mlflow-1"]
    assert [logger.ended for logger in service] == ["failed", "KILLED", "success"]
    assert all(logger.options["run_name"] == tmp_path.name for logger in service)
    assert service[0].metrics[0] == (120, {f"epoch/{name}": value for name, value in ROW.columns().items()})
    assert json.loads((tmp_path / "loggers.json").read_text()) == {"mlflow": "mlflow-1"}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_service_that_fails_in_mid_run_is_named_once_and_the_training_goes_on(
    tmp_path, service, monkeypatch, capfd, name
):
    def fail(self, metrics, step):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(FakeLogger, "log_metrics", fail)
    monkeypatch.setattr("e2egraph.training.runs.loggers.find_spec", lambda package: package)
    data = write_toy_dataset(tmp_path / "data", 60, nodes=(0, 10))
    settings = ("training.epochs=3", f"training.loggers=[tensorboard,{name}]")
    summary = train(write_tiny_model(tmp_path), data, tmp_path / "run", settings=settings, progress=True)
    assert summary.epochs == 3
    sentence = f"training.loggers: {name} failed after step 1 (no route to host); the training goes on without it"
    assert capfd.readouterr().err.replace("\n", " ").count(sentence) == 1
    assert (tmp_path / "run" / "train.log").read_text().count(sentence) == 1
    assert ("epoch/validation_auc", 3) in scalars(tmp_path / "run")
    (logger,) = service
    assert logger.ended == "failed"  # its curves are not whole


def test_a_service_that_does_not_answer_is_named(tmp_path, service, monkeypatch):
    def refuse(self, settings):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(FakeLogger, "log_hyperparams", refuse)
    (log,) = make_loggers(("wandb",), tmp_path, {})
    with pytest.raises(InputError, match="wandb cannot be used"):
        log.on_start(0)


def test_the_bar_of_a_terminal_shows_rate_waiting_and_time_left():
    lines = ProgressLines("tiny", 3, BEST, ObjectName("cluster"))
    stream = io.StringIO()
    lines._console = Console(file=stream, force_terminal=True, width=150)
    lines.on_epoch_start(2, 40, 10)
    lines.on_step(REPORT)
    lines._bar.refresh()
    lines.close()
    text = stream.getvalue()
    for part in ("tiny epoch 2/3", "30/40", "160 clusters/s", "2.5% waiting for data", "run ends in 1:01:40"):
        assert part in text


def test_a_log_gets_a_line_now_and_then_inside_a_long_epoch(capfd, monkeypatch):
    monkeypatch.setattr("e2egraph.training.runs.progress._LINE_SECONDS", -1.0)
    lines = ProgressLines("tiny", 3, BEST, ObjectName("cluster"))
    lines.on_epoch_start(2, 40, 10)
    lines.on_step(REPORT)
    assert "tiny: epoch 2/3, batch 30/40, 160 clusters/s" in capfd.readouterr().err
