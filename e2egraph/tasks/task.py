"""A task's typed configuration (``configs/tasks/*.yaml``): classes, selection, truth, nodes, resampling and splits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from e2egraph import config
from e2egraph.config import configuration
from e2egraph.tasks.nodeselection import NodeSelection


@configuration
class Selection:
    """Jet selection. pT [GeV]; ``seed_edge_towers``: reject 28 − |ieta| below it (12: no η padding)."""

    jet_pt_min: float = 400.0
    jet_pt_max: float | None = None
    jet_abs_eta_max: float = 1.37
    seed_edge_towers: int = 12


@configuration
class Decay:
    """A generator particle (|PDG id| one of ``pdg_id``) and the daughters that must be found with it."""

    pdg_id: list[int]
    daughters: list[Decay] = Field(default_factory=list)


@configuration
class Truth:
    """How a jet earns its label.

    ``source``: ``generator`` (decay chains), ``jet_label`` (``jet_truthLabel``), ``sample_name``, or ``auto``: the
    first of generator and jet_label that the file holds. ``decays``: class → chain, every member within ``radius`` of
    the jet axis; a class without one takes all jets of its sample. ``jet_labels``: class → value of jet_truthLabel.
    """

    source: Literal["auto", "generator", "jet_label", "sample_name"] = "auto"
    radius: float = Field(default=0.8, gt=0)
    decays: dict[str, Decay] = Field(default_factory=dict)
    jet_labels: dict[str, int] = Field(default_factory=dict)


# Of a task's nodes; what was added to the first version of the configuration.
_OPTIONAL = ("half_window", "radius")


@configuration
class Nodes(NodeSelection):
    """Which deposits of the window of ±62 crystals become nodes.

    ``NodeSelection``, with a threshold of 0 for channels that have none set, and with channels that must be named.
    ``suppress_displaced``: zero |d0| > 10 cm and |dz| > 20 cm (arXiv:2104.14659, §3). ``neighbors``: static kNN in
    (η, φ) stored with each jet; 0 for none.
    """

    channels: list[str]
    cap: int = Field(default=4096, ge=1)
    suppress_displaced: bool = True
    neighbors: int = Field(default=0, ge=0)

    @model_serializer(mode="wrap")
    def _as_set(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Without them where they are not set: tasks that know neither keep their hash, and data sets their bytes.
        content: dict[str, Any] = serialize(self)
        return {name: value for name, value in content.items() if name not in _OPTIONAL or value is not None}


@configuration
class Resampling:
    """Bring the pT spectrum of every other class to that of ``reference``; ``pt_edges`` [GeV].

    ``method``: ``drop`` jets at random (weights stay), or ``reweight`` them (only jets of pT bins without any reference
    jet are dropped; every class then has the reference's sum of weights in each bin that it shares).
    """

    reference: str
    pt_edges: list[float] = Field(min_length=2)
    method: Literal["drop", "reweight"] = "drop"

    @field_validator("pt_edges")
    @classmethod
    def _rising(cls, edges: list[float]) -> list[float]:
        if any(high <= low for low, high in pairwise(edges)):
            raise ValueError("edges must rise")
        return edges


@configuration
class Split:
    """Shares of the events that go to validation and test; the rest trains. ``salt`` gives another division."""

    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.2, ge=0, lt=1)
    salt: int = 0

    @model_validator(mode="after")
    def _some_training(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test must leave events to train on")
        return self


@configuration
class TaskConfig:
    """One physics problem. ``classes`` in label order; ``targets``: jet fields stored as regression targets."""

    name: str
    description: str
    classes: list[str] = Field(min_length=1)
    signal: str
    selection: Selection = Field(default_factory=Selection)
    truth: Truth = Field(default_factory=Truth)
    nodes: Nodes
    resampling: Resampling | None = None
    split: Split = Field(default_factory=Split)
    targets: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _classes_named(self) -> TaskConfig:
        named = {self.signal, *self.truth.decays, *self.truth.jet_labels}
        named |= {self.resampling.reference} if self.resampling else set()
        unknown = sorted(named - set(self.classes))
        if unknown:
            raise ValueError(f"{unknown} are not among the classes {self.classes}")
        return self


def load_task(name: str, settings: Sequence[str] = ()) -> TaskConfig:
    """The task of that name or YAML path, with ``--set`` overrides; UsageError when there is none or it is wrong."""
    return config.load(TaskConfig, "tasks", name, settings)
