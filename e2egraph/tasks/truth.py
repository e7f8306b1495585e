"""Truth: which class an object is of, and the generator particle behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.tasks.decays import Decay, Near, Record, matches, read_record
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.surface import Surface

if TYPE_CHECKING:
    import awkward as ak

TruthSource = Literal["generator", "jet_label", "sample_name"]

# Object column → its NumPy type: the matched generator particle, after all its radiation (or the sum of its visible
# daughters), and its distance ΔR to the object. ``gen_index``: in the event's record, −1 for none. GeV, radians.
PARTICLE_COLUMNS: dict[str, str] = {
    "gen_index": "int32",
    "gen_pdg_id": "int32",
    "gen_pt": "float32",
    "gen_eta": "float32",
    "gen_phi": "float32",
    "gen_mass": "float32",
    "gen_dr": "float32",
}

# No class.
NO_CLASS = -1


@configuration
class Truth:
    """How an object earns its class.

    ``source``: ``generator`` (decay chains), ``jet_label`` (``jet_truthLabel``), ``sample_name``, or ``auto``: the
    first of generator and jet_label that the file holds. ``decays``: class → chain, every member within ``radius`` of
    the object's axis, and within ``deta_max`` and ``dphi_max`` of it [rad] where these are given; a class without one
    takes all objects of its sample. ``surface``: the ECAL's front face, up to which particles are followed before they
    are compared with the axis (for clusters: an electron of 5 GeV turns by 0.15); without, their directions at the
    vertex count. ``jet_labels``: class → value of
    jet_truthLabel. ``class_by``: ``sample`` (each sample is given for one class and only its objects are looked for in
    it) or ``particle`` (a file fills every class whose particle is found; the nearest decides).

    ``radius``: largest ΔR of a particle to the object's axis. ``deta_max``, ``dphi_max`` [rad]: largest |Δη| and
    |Δφ|.
    """

    source: Literal["auto", "generator", "jet_label", "sample_name"] = "auto"
    radius: Annotated[float, Field(gt=0)] = 0.8
    deta_max: Annotated[float, Field(gt=0)] | None = None
    dphi_max: Annotated[float, Field(gt=0)] | None = None
    surface: Surface | None = None
    decays: dict[str, Decay] = Field(default_factory=dict)
    jet_labels: dict[str, int] = Field(default_factory=dict)
    class_by: Literal["sample", "particle"] = "sample"

    @property
    def near(self) -> Near:
        """How near to an object its particles must be."""
        deta, dphi = (np.inf if limit is None else limit for limit in (self.deta_max, self.dphi_max))
        return Near(self.radius, deta, dphi)


@dataclass(frozen=True)
class Labelled:
    """``label`` [J]: number of the class, ``NO_CLASS`` for none; ``columns``: ``PARTICLE_COLUMNS`` → [J]."""

    label: NDArray[np.int64]
    columns: dict[str, NDArray]


def truth_source(
    truth: Truth, name: str | None, source: EventSource | PointSource, *, of_jets: bool = True
) -> TruthSource:
    """Where the label of class ``name`` comes from in this file (None: of every class); InputError when it holds none
    of it. ``of_jets``: whether objects are jets; labels of a file of events are those of its jets."""
    if name is None:
        # A file holds the truth of every class or is refused, so that all of them have it from the same place.
        (same,) = {truth_source(truth, each, source, of_jets=of_jets) for each in truth.decays}
        return same
    labels_fit = isinstance(source, PointSource) or (of_jets and "jets" not in source.missing)
    has_label = labels_fit and "jets.truth_label" not in source.missing and name in truth.jet_labels
    if has_label and (truth.source == "jet_label" or (truth.source == "auto" and isinstance(source, PointSource))):
        # Files of images often hold several classes: their label counts for every class, whatever the sample.
        return "jet_label"
    if truth.source == "sample_name" or name not in truth.decays:
        return "sample_name"
    # A generator record without mother links (some vintages) holds no decay chains.
    has_generator = "gen" not in source.missing and "gen.mother" not in source.missing
    if truth.source in ("auto", "generator") and has_generator:
        decay = truth.decays[name]
        for asked, what, option in (
            (decay.needs_status, "status", "status"),
            (decay.needs_mass, "mass", "visible"),
        ):
            if asked and f"gen.{what}" in source.missing:
                raise InputError(
                    f"{source.path}: truth of class '{name}' asks for the {what} of generator particles (no branch "
                    f"{source.missing.branches[f'gen.{what}']}); give a file that has it, or leave out {option} in "
                    f"truth.decays.{name}."
                )
        return "generator"
    if truth.source in ("auto", "jet_label") and has_label:
        return "jet_label"
    if isinstance(source, PointSource):
        looked_for = f"column {source.missing.branches.get('jets.truth_label', 'of labels')}"
    else:
        looked_for = "branch " + {"generator": "gen_mother", "jet_label": "jet_truthLabel"}.get(
            truth.source, "gen_mother or jet_truthLabel"
        )
    advice = (
        "add --trust-sample-names to label every object by its sample."
        if truth.class_by == "sample"
        else "give a file that has it."
    )
    raise InputError(f"{source.path}: no truth for class '{name}' (no {looked_for}); {advice}")


def given_columns(truth: Truth, name: str, source: TruthSource) -> tuple[str, ...]:
    """The ``PARTICLE_COLUMNS`` that truth from ``source`` gives for objects of class ``name``."""
    return tuple(PARTICLE_COLUMNS) if source == "generator" and name in truth.decays else ()


def labelled(
    objects: Objects,
    events: ak.Array,
    truth: Truth,
    classes: Sequence[str],
    sample_class: str | None,
    source: TruthSource,
    axis: tuple[str, str] | None,
) -> Labelled:
    """The class of each of J objects and the particle behind it.

    ``sample_class``: the class that the file was given for, None where particles decide. ``axis``: columns of η and φ
    of the objects, which particles are looked for around (None: labels come from elsewhere). InputError when the
    generator record is damaged.
    """
    size = len(objects)
    wanted = list(classes) if sample_class is None else [sample_class]
    label = np.full(size, NO_CLASS, np.int64)
    columns = _no_particle(size)
    if source == "sample_name":
        assert sample_class is not None
        return Labelled(np.full(size, list(classes).index(sample_class), np.int64), columns)
    if source == "jet_label":
        found_label = objects.columns["truth_label"]
        for name in wanted:
            label[np.asarray(found_label == truth.jet_labels[name])] = list(classes).index(name)
        return Labelled(label, columns)
    assert axis is not None, "a task asks for no particles around objects without a direction"
    record = read_record(events.gen, truth.surface)
    nearest = np.full(size, np.inf)
    eta, phi = (objects.columns[name] for name in axis)
    for name in wanted:
        found = matches(record, objects.event, eta, phi, truth.decays[name], truth.near)
        closer = (found.particle >= 0) & (found.distance < nearest)
        nearest = np.where(closer, found.distance, nearest)
        label[closer] = list(classes).index(name)
        for column, values in _particle(record, found.particle, found.distance, truth.decays[name]).items():
            columns[column] = np.where(closer, values, columns[column]).astype(PARTICLE_COLUMNS[column])
    return Labelled(label, columns)


def _no_particle(size: int) -> dict[str, NDArray]:
    columns = {name: np.zeros(size, kind) for name, kind in PARTICLE_COLUMNS.items()}
    columns["gen_index"] -= 1
    return columns


def _particle(record: Record, particle: NDArray[np.int64], distance: NDArray, decay: Decay) -> Mapping[str, NDArray]:
    """``PARTICLE_COLUMNS`` of particles [J] (flat indices, −1 for none, whose content means nothing)."""
    momentum = record.visible if decay.visible else record.momentum
    if not len(record.pdg_id):
        return _no_particle(len(particle))  # of no event a particle is stored
    return {
        "gen_index": particle - record.first_of_event[particle],
        "gen_pdg_id": record.pdg_id[particle],
        "gen_pt": momentum.pt[particle],
        "gen_eta": momentum.eta[particle],
        "gen_phi": momentum.phi[particle],
        "gen_mass": momentum.mass[particle],
        "gen_dr": distance,
    }
