"""Elements of whole events, for particle flow: what a task says of them, and of what they are to be learnt to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any

from pydantic import Field, field_validator

from e2egraph.config import as_dict, changed, configuration, digest, validate
from e2egraph.detector.geometry import SOLENOID_FIELD
from e2egraph.errors import UsageError
from e2egraph.reconstruction.elements import ElementsConfig
from e2egraph.reconstruction.rulesconfig import RulesConfig, read_rules
from e2egraph.tasks.nodeselection import of_task
from e2egraph.tasks.variables import SUPPRESS

# Of a task's inputs, what changes what elements carry, and its default.
_VALUES = {"field": SOLENOID_FIELD, SUPPRESS: True}

Energy = Annotated[float, Field(ge=0, allow_inf_nan=False)]

# Node variables that elements alone have.
ELEMENT_VARIABLES = (
    "energy", "deta0", "dphi0", "dphi_hcal", "pt_err", "muon", "size", "sigma_eta", "sigma_phi", "peak",
)  # fmt: skip


@configuration
class TargetsConfig:
    """How true particles are assigned to elements.

    ``split_tracks``: whether a particle with several tracks is shared among them by pT; else the first in pT has all of
    it. ``visible_energy`` [GeV]: what a particle without a track must have given to elements to be visible.
    ``free_share``: least share of its largest contribution that an element of its own must hold. ``lepton_pt`` [GeV]:
    electrons and muons of less count as hadrons.
    """

    split_tracks: bool = True
    visible_energy: Energy = 0.02
    free_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    lepton_pt: Energy = 1.0


@configuration
class TaskElements(ElementsConfig):
    """Tracks and clusters (or cells) of whole events as nodes, with true particles as what they are.

    ``kind``: ``clusters`` or ``cells``. ``track_pt_min`` [GeV]: of tracks. ``ecal``, ``hcal``: how crystals and towers
    become clusters. ``targets``: how true particles are assigned to elements. ``rules``: the constants of rule-based
    particle flow, whose particles are stored as well, or the name of a file of them in ``configs/particleflow``.
    """

    targets: TargetsConfig = Field(default_factory=TargetsConfig)
    rules: RulesConfig = Field(default="detector", validate_default=True)

    @field_validator("rules", mode="before")
    @classmethod
    def _named(cls, content: Any) -> Any:
        if not isinstance(content, str):
            return content
        try:
            return read_rules(content)
        except UsageError as error:
            raise ValueError(str(error).rstrip(".")) from error


def element_settings(configuration: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Setting → value of all that decides what elements a task configuration makes of an event; none where it makes
    none. UsageError names ``origin``."""
    made = _elements(configuration, origin)
    if made is None:
        return {}
    settings: dict[str, Any] = {}
    for name, value in as_dict(made).items():
        settings |= {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return settings


def elements_digest(configuration: Mapping[str, Any], numbers: Mapping[str, int], origin: str) -> str:
    """A digest of all that decides which elements a task ``configuration`` makes of an event, how they are numbered
    and what they carry, but for how many there are at most (``inputs.cap``).

    ``numbers``: channel → number of its elements. What is at its default does not count, so that settings that a later
    version adds change no digest. UsageError names ``origin``.
    """
    made = _elements(configuration, origin)
    own = None if made is None else changed(made)
    selected = changed(replace(of_task(configuration, origin), cap=None))
    inputs = configuration["inputs"]
    values = {name: inputs[name] for name, usual in _VALUES.items() if inputs.get(name, usual) != usual}
    # Only where there are any: digests of earlier versions did without, and stay what they were.
    others = {"values": values} if values else {}
    return digest({"elements": own, "selected": selected, "channels": dict(numbers), **others})


def _elements(configuration: Mapping[str, Any], origin: str) -> ElementsConfig | None:
    given = configuration.get("elements")
    if given is None:
        return None
    names = {field.name for field in fields(ElementsConfig)}
    return validate(ElementsConfig, {name: value for name, value in given.items() if name in names}, origin)
