"""Finding models by name, by file, and in other people's packages."""

from pathlib import Path

import pytest
import torch

from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.models.registry import ModelConfig, build_model, load_model_config, parameter_count
from e2egraph.tasks.outputs import Head, Outputs
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets

OWN_MODEL = '''
import torch
from e2egraph.config import configuration

@configuration
class Options:
    scale: float = 1.0

class Counter(torch.nn.Module):
    """Scores a jet by its number of nodes."""
    Options = Options

    def __init__(self, options, inputs, outputs):
        super().__init__()
        self.scale = options.scale
        self.weight = torch.nn.Parameter(torch.ones(outputs.size))

    def forward(self, points, features, mask, jet):
        return self.scale * mask.float().sum(1, keepdim=True) * self.weight

class NoOptions(torch.nn.Module):
    pass

class OldArguments(Counter):
    def __init__(self, options, n_outputs):
        pass
'''


@pytest.fixture
def own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model outside the package: a module on the path and its YAML."""
    (tmp_path / "somebodys_model.py").write_text(OWN_MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "counter.yaml"
    path.write_text("name: counter\nnetwork: somebodys_model:Counter\noptions:\n  scale: 2.0\n")
    return path


def test_the_whole_zoo_is_shipped() -> None:
    graphs = {"gravnet", "edgeconv", "gnn-lsh", "performer", "window", "transformer", "sage"}
    sizes = {f"tracks-and-cells-{size}" for size in ("small", "large")}
    tokens = {"tracks-and-cells", *sizes, "tracks-and-cells-crystals", "tracks-and-cells-links"}
    tokens |= {"tracks-and-cells-mass"}
    images = {"resnet15", "resnet15-stride1", "resnet-mass", "vit", "cnn-circular", "cnn-egamma"}
    assert set(config_names("models")) == graphs | tokens | images | {"fcn"}


@pytest.mark.parametrize("name", config_names("models"))
def test_shipped_names_stand_in_their_own_files(name: str) -> None:
    assert load_model_config(name).name == name


def test_a_loaded_configuration_holds_every_option() -> None:
    config = load_model_config("gravnet", ["options.width=24"])
    assert config.options["width"] == 24
    of_graph_networks = {"width", "depth", "dropout", "merge", "cone_sums"}
    assert set(config.options) == of_graph_networks | {"space", "propagated", "neighbors", "fading"}


def test_settings_change_the_network() -> None:
    small, large = (
        build_model(load_model_config("gravnet", [f"options.width={w}"]), INPUTS, TWO_CLASSES) for w in (8, 16)
    )
    assert parameter_count(small) < parameter_count(large)


def test_a_saved_configuration_builds_the_same_network() -> None:
    config = load_model_config("gravnet", ["options.width=8", "options.depth=1"])
    again = ModelConfig(name=config.name, network=config.network, options=config.options)
    model, copy = (build_model(one, INPUTS, TWO_CLASSES) for one in (config, again))
    copy.load_state_dict(model.state_dict())
    inputs = jets([12, 5])
    assert torch.equal(model(*inputs), copy(*inputs))


def test_a_model_of_ones_own_needs_no_change_here(own_model: Path) -> None:
    model = build_model(load_model_config(str(own_model), ["options.scale=3"]), INPUTS, TWO_CLASSES)
    assert model(*jets([4, 0])).tolist() == [[12.0, 12.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("options.widht=3", "unknown key 'widht'"),
        ("options.width=0", "'width' is wrong"),
        ("options.width=many", "'width' is wrong"),
        ("network=e2egraph.models.nothing:Here", "cannot be imported"),
        ("network=e2egraph.models.registry:Nothing", "not a torch.nn.Module"),
        ("network=e2egraph.models.registry:ModelConfig", "not a torch.nn.Module"),
        ("network=os.system", "'network' is wrong"),
        ("colour=red", "unknown key 'colour'"),
    ],
)
def test_wrong_settings_are_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model_config("gravnet", [setting])


def test_a_class_without_options_is_refused(own_model: Path) -> None:
    with pytest.raises(UsageError, match="no Options"):
        load_model_config(str(own_model), ["network=somebodys_model:NoOptions"])


def test_a_class_that_is_made_otherwise_is_refused(own_model: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be made as OldArguments\(options, inputs, outputs\)"):
        load_model_config(str(own_model), ["network=somebodys_model:OldArguments"])


def test_outputs_of_ones_own_network_are_in_the_units_asked_for(own_model: Path) -> None:
    outputs = Outputs(heads=(Head(name="mass", columns=("mass",), units=("GeV",), offset=(100.0,), scale=(5.0,)),))
    model = build_model(load_model_config(str(own_model)), INPUTS, outputs)
    assert model(*jets([4, 0])).tolist() == [[140.0], [100.0]]


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown model 'gravnte'.*gravnet.*resnet15"):
        load_model_config("gravnte")
