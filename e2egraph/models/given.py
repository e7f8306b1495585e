"""A network that exists as an object in a Python program, as a model like those made by name.

Its program lends it (``lent``) for as long as networks are made; nobody else can make it, so that a run keeps its class
and the shapes of its weights, by which another object is recognised.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from e2egraph.config import configuration, digest
from e2egraph.errors import UsageError
from e2egraph.models.network import Network
from e2egraph.models.registry import ModelConfig
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

_LENT: ContextVar[nn.Module | None] = ContextVar("lent network", default=None)

# Objects and nodes of the batch that a network is tried with.
_JETS, _NODES = 2, 3


@contextmanager
def lent(network: nn.Module | None) -> Iterator[None]:
    """Let ``GivenNetwork`` be made of ``network`` (None: of nothing) inside."""
    token = _LENT.set(network)
    try:
        yield
    finally:
        _LENT.reset(token)


@configuration
class GivenOptions:
    """``type``: class of the network, as module:Class. ``shapes``: SHA-256 of the names and shapes of its weights."""

    type: str
    shapes: str

    @classmethod
    def of(cls, network: nn.Module) -> GivenOptions:
        name = f"{type(network).__module__}:{type(network).__qualname__}"
        weights = {key: value for key, value in network.state_dict().items() if isinstance(value, Tensor)}
        for key, tensor in weights.items():
            if is_lazy(tensor):
                raise UsageError(f"network {name}: {key} has no shape yet; run the network once before you give it.")
        return cls(type=name, shapes=digest({key: list(tensor.shape) for key, tensor in weights.items()}))


class GivenNetwork(Network):
    """A copy of the network that is lent: training leaves the program's own object as it is.

    UsageError when none is lent or another than the options tell, when it fails on a small batch, or gives another
    shape than ``outputs`` need.
    """

    Options = GivenOptions

    def __init__(self, options: GivenOptions, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        given = _LENT.get()
        if given is None:
            raise UsageError(
                f"the network is an object of class {options.type}, which only its own Python program has; give it "
                "there: e2egraph.load(RUN, network=…)."
            )
        found = GivenOptions.of(given)
        if found.shapes != options.shapes:
            raise UsageError(
                f"the network given is of class {found.type}, with other weights than the one of class {options.type} "
                "that was trained; give a network like that one."
            )
        self.network = copy.deepcopy(given).cpu()
        self.uses_jet = bool(getattr(given, "uses_jet", False))
        self.least_nodes = int(getattr(given, "least_nodes", 1))
        _try(self.network, options.type, inputs, outputs)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        made: Tensor = self.network(points, features, mask, jet)
        return made


def model_of(network: nn.Module | type[nn.Module]) -> ModelConfig:
    """The configuration of a network of one's own.

    ``network``: an object with ``forward(points, features, mask, jet)``, to be ``lent`` when it is made; or a class as
    ``models.registry`` describes it, found again by its import path. UsageError for anything else.
    """
    kind = network if isinstance(network, type) else type(network)
    if not issubclass(kind, nn.Module):
        raise UsageError(f"network: {kind.__name__} is not a torch.nn.Module; give one, or the name of a model.")
    name = kind.__name__.strip("_").lower()
    if not isinstance(network, type):
        options = GivenOptions.of(network)
        given = f"{GivenNetwork.__module__}:{GivenNetwork.__name__}"
        return ModelConfig(name=name, network=given, options={"type": options.type, "shapes": options.shapes})
    if "." in kind.__qualname__:
        raise UsageError(
            f"network: class {kind.__qualname__} is defined inside something else, where a run cannot find it again; "
            "define it at the top of a module, or give an object of it."
        )
    return ModelConfig(name=name, network=f"{kind.__module__}:{kind.__name__}")


def _try(network: nn.Module, name: str, inputs: Inputs, outputs: Outputs) -> None:
    """UsageError unless the network takes a batch of a few nodes and gives what ``outputs`` need."""
    training = network.training
    shape = (_JETS, _NODES, outputs.size) if outputs.level == "node" else (_JETS, outputs.size)
    points, features = torch.zeros(_JETS, _NODES, 2), torch.zeros(_JETS, _NODES, inputs.n_features)
    mask, jet = torch.ones(_JETS, _NODES, dtype=torch.bool), torch.zeros(_JETS, len(inputs.object_names))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            made = network.eval()(points, features, mask, jet)
        except Exception as error:  # whatever a network of somebody's own raises
            reason = " ".join(str(error).split())
            raise UsageError(
                f"network {name} fails on points [{_JETS}, {_NODES}, 2], features [{_JETS}, {_NODES}, "
                f"{inputs.n_features}], mask [{_JETS}, {_NODES}], jet [{_JETS}, {len(inputs.object_names)}] "
                f"({reason}); correct its forward(points, features, mask, jet)."
            ) from error
        finally:
            network.train(training)
    found = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
    if found != shape:
        raise UsageError(f"network {name} gives {found} for {_JETS} objects; make it give {shape}, raw numbers.")
