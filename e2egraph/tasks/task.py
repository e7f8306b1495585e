"""A task's typed configuration (``configs/tasks/*.yaml``): the whole of a problem as one value."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from e2egraph.config import RefusedError, configuration, find_config, override, read_yaml, validate
from e2egraph.detector.geometry import SOLENOID_FIELD
from e2egraph.errors import UsageError, first_line
from e2egraph.tasks.elements import ELEMENT_VARIABLES, TaskElements
from e2egraph.tasks.inputs import Inputs, resolve, with_radii
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.objectives.objective import Objective, make_objective
from e2egraph.tasks.objects.objects import ObjectKind
from e2egraph.tasks.objects.registry import kinds
from e2egraph.tasks.region import RegionConfig
from e2egraph.tasks.truth import Truth, TruthSource, truth_source

if TYPE_CHECKING:
    from e2egraph.events.schema import EventSource, PointSource

# The variables of a node where a task names none.
DEFAULT_VARIABLES = ("rho", "value", "d0", "dz", "d0_sig", "dz_sig", "charge", "time")

# Neighbours of a node that a data set stores at most: ten times the room of all else that it stores of it.
MOST_NEIGHBORS = 128


@configuration
class TaskInputs(NodeSelection):
    """Which deposits of the region become nodes, what they carry, and what networks read.

    ``NodeSelection``, with a threshold of 0 for channels that have none set, and with ``channels`` that must be named.
    ``variables``: of nodes, in order. ``object``: quantities of the object that networks may read; all that its kind
    has where not given. ``suppress_displaced``: zero |d0| > 10 cm and |dz| > 20 cm (arXiv:2104.14659, §3).
    ``neighbors``: static kNN in (η, φ) stored with each object, at most 128; 0 for none. ``radii``: layer of hits → its
    distance to the beam line [cm], which nodes get where hits come as images; that of ``detector.channels`` where not
    given. ``field`` [T]: of the solenoid.
    """

    channels: list[str] = Field()
    cap: int = Field(default=4096, ge=1)
    variables: list[str] = Field(default_factory=lambda: list(DEFAULT_VARIABLES))
    object: list[str] | None = None
    suppress_displaced: bool = True
    neighbors: int = Field(default=0, ge=0)
    radii: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)
    field: Annotated[float, Field(gt=0, allow_inf_nan=False)] = SOLENOID_FIELD

    @field_validator("neighbors")
    @classmethod
    def _few_neighbors(cls, number: int) -> int:
        if number > MOST_NEIGHBORS:
            raise ValueError(
                f"each neighbour of a node takes 4 bytes in the shards, and networks read 8 to 64; give at most "
                f"{MOST_NEIGHBORS}"
            )
        return number


@configuration
class Resampling:
    """Bring spectra of every other class to those of ``reference``, or to flat ones.

    ``edges``: object column → bin edges; with two columns the spectrum is two-dimensional. ``reference``: a class, or
    ``flat``: every bin that is populated gets the same share. ``method``: ``drop`` objects at random (weights stay), or
    ``reweight`` them (only objects of bins without any reference are dropped; every class then has the reference's sum
    of weights in each bin that it shares). ``minimum_share``: bins with less than this share of the reference (or of an
    average bin, for ``flat``) do not decide how many objects are left, and objects of flat spectra get no more weight
    than in a bin that has it.
    """

    reference: str
    edges: Annotated[dict[str, list[float]], Field(min_length=1, max_length=2)]
    method: Literal["drop", "reweight"] = "drop"
    minimum_share: Annotated[float, Field(gt=0, lt=1)] | None = None

    @field_validator("edges")
    @classmethod
    def _rising(cls, edges: dict[str, list[float]]) -> dict[str, list[float]]:
        for name, values in edges.items():
            if len(values) < 2 or any(high <= low for low, high in pairwise(values)):
                raise ValueError(f"edges of {name} must be two or more and rise")
        return edges


@configuration
class Split:
    """Shares of the events that go to validation and test; the rest trains. ``salt`` gives another division.

    ``validation``: share of the events. ``test``: share of the events. ``salt``: another number gives another
    division.
    """

    validation: float = Field(default=0.1, ge=0, lt=1)
    test: float = Field(default=0.2, ge=0, lt=1)
    salt: Annotated[int, Field(ge=0, lt=1 << 64)] = 0

    @model_validator(mode="after")
    def _some_training(self) -> Split:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test must leave events to train on")
        return self


@configuration
class TaskConfig:
    """One physics problem.

    ``object``: what one example is, a group whose ``kind`` names its file in ``tasks/objects``. ``region``: the part of
    the detector cut out around it, by default around the first of the centres that its kind has. ``objective``: what is
    learnt, a group whose ``kind`` names its file in ``tasks/objectives``. ``extensions``: Python modules to import
    first, which add channels, variables, kinds of objects or objectives of one's own. ``elements``: of whole events,
    whose nodes are then tracks and clusters (or cells) as particle flow knows them; none for deposits as they are.

    ``name``: of the task. ``description``: in words.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    description: str = ""
    object: Any = Field(default_factory=lambda: kinds()["jet"].configuration())
    region: RegionConfig = Field(default_factory=dict, validate_default=True)
    inputs: TaskInputs
    truth: Truth = Field(default_factory=Truth)
    objective: Any
    elements: TaskElements | None = None
    resampling: Resampling | None = None
    split: Split = Field(default_factory=Split)
    extensions: list[str] = Field(default_factory=list)

    @field_validator("object")
    @classmethod
    def _known_object(cls, content: Any) -> Any:
        if isinstance(content, tuple(kind.configuration for kind in kinds().values())):
            return content
        if not isinstance(content, Mapping):
            raise ValueError("give a group with its kind, such as {kind: jet}")
        kind = content.get("kind", "jet")
        if not isinstance(kind, str) or kind not in kinds():
            raise ValueError(f"unknown kind '{kind}'; choose one of {', '.join(kinds())}")
        return _raised(lambda: validate(kinds()[kind].configuration, content, "object"))

    @field_validator("region", mode="before")
    @classmethod
    def _usual_centre(cls, content: Any, info: ValidationInfo) -> Any:
        made = info.data.get("object")
        if made is None or not isinstance(content, Mapping):
            return content
        return {"centre": kinds()[made.kind].centres[0], **content}

    @field_validator("objective")
    @classmethod
    def _known_objective(cls, content: Any) -> Any:
        return _raised(lambda: make_objective(content, "objective"))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        classes = self.classes
        reference = self.resampling.reference if self.resampling else None
        named = {*self.truth.decays, *self.truth.jet_labels, *({reference} if reference not in (None, "flat") else ())}
        unknown = sorted(str(name) for name in named - set(classes))
        if unknown:
            raise ValueError(f"{unknown} are not among the classes {list(classes)}")
        if self.truth.class_by == "particle" and self.truth.source == "sample_name":
            raise ValueError("truth.class_by: particle finds the class of each object, so samples cannot name it")
        if self.truth.class_by == "particle" and (
            absent := [name for name in classes if name not in self.truth.decays]
        ):
            raise ValueError(f"truth.class_by: particle needs truth.decays of every class, none is given for {absent}")
        if self.region.centre not in self.object_kind.centres:
            allowed = ", ".join(self.object_kind.centres)
            raise ValueError(f"objects of kind {self.object.kind} have regions with centre {allowed}")
        if self.object_kind.axis is None and (self.truth.decays or self.truth.source == "generator"):
            raise ValueError(
                f"objects of kind {self.object.kind} have no direction around which particles are looked for; leave "
                "out truth.decays, and have samples name the class (truth.source: sample_name)"
            )
        region = self.region.region
        if self.inputs.half_window is not None and self.inputs.half_window > region.half_rows:
            raise ValueError(f"inputs.half_window is larger than the region, {region.describe()}")
        if self.elements is None and not self.objective.node_columns:
            alone = [name for name in self.inputs.variables if name in ELEMENT_VARIABLES]
            if alone:
                raise ValueError(f"inputs.variables {', '.join(alone)} are of elements; add the group elements")
        elif self.object.kind != "event":
            raise ValueError(f"elements are of whole events, not of objects of kind {self.object.kind}")
        outside = [name for name in self.inputs.named if name not in self.inputs.channels]
        if outside:
            raise ValueError(
                f"inputs names {', '.join(outside)} in thresholds or caps, which are not in inputs.channels"
            )
        try:
            _ = self.network_inputs
        except ValidationError as error:
            raise ValueError(f"inputs: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
        except ValueError as error:
            raise ValueError(f"inputs: {error}") from error
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in label order."""
        made: Objective = self.objective
        return made.class_names

    @property
    def target_names(self) -> tuple[str, ...]:
        """Object columns stored as targets."""
        made: Objective = self.objective
        return made.target_names

    @property
    def object_kind(self) -> ObjectKind:
        """What the objects are."""
        return kinds()[self.object.kind]

    def truth_in(self, source: EventSource | PointSource, of_class: str | None) -> TruthSource:
        """Where the labels of objects in a file come from that was given for ``of_class`` (``truth.truth_source``)."""
        return truth_source(self.truth, of_class, source, of_jets=self.object.kind == "jet")

    @cached_property
    def network_inputs(self) -> Inputs:
        """What networks read, out of the tables."""
        kind = self.object_kind
        quantities = tuple(kind.quantities) if self.inputs.object is None else self.inputs.object
        found = resolve(self.inputs.variables, self.inputs.channels, quantities, self.region.region, kind.quantities)
        return replace(with_radii(found, self.inputs.radii), field=self.inputs.field)

    @property
    def numbers(self) -> dict[str, int]:
        """Channel name → number in shards."""
        return {channel.name: channel.number for channel in self.network_inputs.channels}


def load_task(name: str, settings: Sequence[str] = ()) -> TaskConfig:
    """The task of that name or YAML path, with ``--set`` overrides; UsageError when there is none or it is wrong."""
    path = find_config("tasks", name)
    return make_task(override(read_yaml(path), settings), str(path))


def make_task(content: Mapping[str, Any], origin: str) -> TaskConfig:
    """The task of a configuration, its extensions imported first; UsageError naming ``origin`` when it is wrong."""
    extensions = content.get("extensions")
    if isinstance(extensions, str | Mapping) or not isinstance(extensions, Sequence | None):
        raise UsageError(
            f"{origin}: 'extensions' is wrong (give a list of modules, such as [mine]); correct the value."
        )
    import_extensions(extensions or (), origin)
    return validate(TaskConfig, content, origin)


def import_extensions(modules: Sequence[str], origin: str) -> None:
    """Import the modules that a task names; UsageError when one cannot be found, or fails."""
    for module in modules:
        try:
            importlib.import_module(str(module))
        except ImportError as error:
            raise UsageError(
                f"{origin}: extension '{module}' cannot be imported ({error}); install its package or put its folder "
                "on PYTHONPATH."
            ) from error
        except Exception as error:  # whatever the user's own code, or a name that is none, may raise
            raise UsageError(
                f"{origin}: extension '{module}' fails ({type(error).__name__}: {first_line(error)}); correct it."
            ) from error


def _raised(make: Any) -> Any:
    try:
        return make()
    except UsageError as error:
        raise RefusedError(str(error)) from error
