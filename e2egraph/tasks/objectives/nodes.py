"""Particle flow: which node of an event stands for a particle, of which class, with what momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.tasks.objectives.objective import Best, Objective, register
from e2egraph.tasks.outputs import Head, Outputs

# Classes of particles where a task names no others; 0 is a node that stands for none.
CLASSES = ("none", "charged_hadron", "neutral_hadron", "photon", "electron", "muon")

# Node columns of a shard that are learnt, as batches hold them: the class, the particle's pT, η, φ and energy, and the
# share of its energy that comes from pile-up.
NODE_TARGETS = (
    "node_class",
    "node_target_pt",
    "node_target_eta",
    "node_target_phi",
    "node_target_energy",
    "node_target_pileup",
)

# What every example is.
EVENT = "event"

# Node variables that the momentum of an element is made of, other than its place; where a task has no direction at the
# vertex, that of its place counts.
PT, ENERGY, ETA_AT_VERTEX, PHI_AT_VERTEX = "value", "energy", "deta0", "dphi0"

# Heads of the network, each a tensor of that name in an exported model.
PARTICLE, CLASS, MOMENTUM, PILEUP = "particle", "class", "momentum", "pileup"

# log(E/p) = softplus(energy_excess − MASS_OFFSET): never negative, so that no mass² is; 0.018 at first, as of a charged
# pion of 0.7 GeV.
MASS_OFFSET = 4.0

# |log| of a ratio of momenta at most: a network that was not trained gives no infinite momentum.
LARGEST_LOG_RATIO = 10.0

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@register("nodes")
@configuration
class Nodes(Objective):
    """Each node of an event is a particle of one of ``classes`` or, as the first of them, none; momenta are learnt
    relative to the node.

    The loss of an event is a weighted sum of means over its nodes or true particles (J. Pata et al., arXiv:2101.08578,
    §5, and the public code of arXiv:2303.17657 for its parts):
    cross-entropy of particle or none, over all nodes; focal loss of the class (T.-Y. Lin et al., arXiv:1708.02002,
    eq. 4); smooth L1 of log pT and log E, and of the direction in units of a crystal, each particle weighted by √pT
    over its mean in the event (what is soft or turned far in the field cannot be told); binary cross-entropy of the
    pile-up share.

    ``kind``: of objective. ``classes``: of nodes, in the order of ``node_class``, the first for no particle.
    ``particle_weight``: of particle or none in the loss. ``class_weight``: of the class in the loss. ``focusing``: γ of
    the focal loss, 0 for a cross-entropy. ``momentum_weight``: of log pT and log E in the loss. ``transition``: where
    their smooth L1 turns linear. ``direction_weight``: of η and φ in the loss. ``pileup_weight``: of the pile-up share
    in the loss. ``balance_weight``: of the difference between the event's vector sums of pT, predicted (weighted by the
    probability of a particle) and true, over the true scalar sum; 0 for none. ``local_weight``: of the difference
    between sums of pT around nodes, predicted (weighted by the probability of a particle that is none of pile-up) and
    true, in units of √(true sum · 1 GeV), as the resolution of jets is; 0 for none. ``local_width``: of the Gaussian
    that these sums are weighted with [rad].
    """

    kind: Literal["nodes"] = "nodes"
    classes: Annotated[list[str], Field(min_length=2)] = Field(default_factory=lambda: list(CLASSES))
    particle_weight: Weight = 1.0
    class_weight: Weight = 1.0
    focusing: Weight = 2.0
    momentum_weight: Weight = 2.0
    transition: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.3
    direction_weight: Weight = 0.01
    pileup_weight: Weight = 0.5
    balance_weight: Weight = 0.0
    local_weight: Weight = 0.0
    local_width: Annotated[float, Field(ge=0.01, lt=1.0)] = 0.1

    loss_settings: ClassVar[tuple[str, ...]] = (
        "particle_weight", "class_weight", "focusing", "momentum_weight", "transition", "direction_weight",
        "pileup_weight", "balance_weight", "local_weight", "local_width",
    )  # fmt: skip
    learning: ClassVar[str] = "e2egraph.training.objectives.nodes:NodesLearning"
    evaluation: ClassVar[str] = "e2egraph.evaluation.objectives.nodes:no_evaluation"

    @model_validator(mode="after")
    def _none_first(self) -> Self:
        if self.classes[0] != CLASSES[0] or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must differ and begin with '{CLASSES[0]}', which stands for no particle")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """Examples are events, all of one class; nodes have ``classes``."""
        return (EVENT,)

    @property
    def target_names(self) -> tuple[str, ...]:
        return ()

    @property
    def node_columns(self) -> Mapping[str, str]:
        types = {name: "uint8" if name == "node_class" else "float32" for name in NODE_TARGETS}
        return {**types, "node_particle": "int32"}

    @property
    def node_targets(self) -> tuple[str, ...]:
        return NODE_TARGETS

    @property
    def outputs(self) -> Outputs:
        """Logits of none and particle and of each class; log of pT over the node's, Δη and Δφ to the node's direction
        [rad], the energy's excess (``MASS_OFFSET``); logit of the pile-up share."""
        momentum = Head(
            name=MOMENTUM,
            columns=("log_pt_ratio", "eta_difference", "phi_difference", "energy_excess"),
            level="node",
            units=("", "", "rad", ""),
            offset=(0.0,) * 4,
            scale=(1.0, ETA_PITCH, PHI_PITCH, 1.0),
            tensor=MOMENTUM,
        )
        return Outputs(
            heads=(
                Head(name=PARTICLE, columns=("no_particle", "particle"), level="node", tensor=PARTICLE),
                Head(name=CLASS, columns=tuple(self.classes), level="node", tensor=CLASS),
                momentum,
                Head(name=PILEUP, columns=("pileup_logit",), level="node", tensor=PILEUP),
            )
        )

    @property
    def best(self) -> Best:
        return Best("loss", "loss", highest=False)
