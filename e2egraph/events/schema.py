"""The event record: the one Awkward layout that every event source yields (DESIGN §4).

Each collection is a jagged record array, one list an event. GeV, cm, radians, ns. Tracks carry η and φ at the ECAL
surface, d0 and dz to the primary vertex. Hits are relative to the primary vertex. ``ecal`` and ``hcal`` carry image
rows and columns (``detector.py``), jets the tower row and column of their seed. ``gen_weight`` is what an event counts
for by its generator: 1 in data and in unbiased simulation, and in pb in a file with a ``production``.

Optional: ``fatjets``, jets of large radius made of the others; ``met``, the missing transverse momentum, a plain number
an event; of jets ``b_tag`` (1: tagged, 0) and ``hadron_flavour`` (5, 4 or 0: with a b hadron, a c hadron, neither).

Optional, written by ``simulate --particle-flow``; parametric simulation, not CMS simulation:

- ``vertices``: all of them, the primary one first, in the detector's frame [cm] (any file may have them).
- ``track_details``: of each of the ``tracks``, in their order, η and φ at the perigee (``eta0``, ``phi0``), the error
  of pT, and ``muon``, 1 where the muon system found it.
- ``sim``: the true particles of all collisions (``collision`` 0: the hard one; 1 …: pile-up) with a track or energy in
  a stored cell: momentum where they were born, (``vx``, ``vy``, ``vz``) in the detector's frame [cm], ``gen_index`` in
  ``gen`` of the particle or its nearest stored ancestor (−1: pile-up), ``fate`` in the tracker's material (0 whole,
  1 converted, 2 interacted, 3 radiated). What they become in the material is theirs.
- ``track_links``: of each of the ``tracks``, ``particle`` in ``sim`` (−1: fake), and whether a particle made in the
  material left it (``secondary`` 1).
- ``ecal_links``, ``hcal_links``: who deposited what [GeV] in which stored cell: ``cell`` in ``ecal`` or ``hcal``,
  ``particle`` in ``sim``. Those of a cell add up to its energy without the noise that ``energy`` of the cell has.

All indices count in the event's own lists.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError

if TYPE_CHECKING:
    import awkward as ak

    from e2egraph.events.sources.production import Production

COLLECTIONS: dict[str, tuple[str, ...]] = {
    "id": ("run", "lumi", "event", "gen_weight"),
    "pv": ("x", "y", "z"),
    "tracks": ("pt", "eta", "phi", "d0", "dz", "d0_err", "dz_err", "d0_sig", "dz_sig", "charge"),
    "hits": ("channel", "x", "y", "z"),
    "ecal": ("ieta", "iphi", "energy", "time"),
    "hcal": ("ieta", "iphi", "energy"),
    "jets": (
        "pt", "eta", "phi", "mass", "seed_ieta", "seed_iphi", "softdrop_mass", "tau1", "tau2", "tau3",
        "truth_label", "b_tag", "hadron_flavour",
    ),
    "fatjets": ("pt", "eta", "phi", "mass"),
    "met": ("met",),
    "gen": ("pdg_id", "pt", "eta", "phi", "mass", "mother", "status"),
    "vertices": ("x", "y", "z"),
    "track_details": ("eta0", "phi0", "pt_err", "muon"),
    "sim": (
        "pdg_id", "charge", "pt", "eta", "phi", "mass", "vx", "vy", "vz", "collision", "gen_index", "fate",
    ),
    "track_links": ("particle", "secondary"),
    "ecal_links": ("cell", "particle", "energy"),
    "hcal_links": ("cell", "particle", "energy"),
}  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """What a source's file lacks: ``collection.field`` (or a whole collection) → the branches looked for."""

    branches: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.branches

    def refuse(self, name: str, path: str) -> None:
        """InputError when the collection ``name`` is among what the file at ``path`` lacks."""
        if name in self:
            raise InputError(
                f"{path}: no branch for {name} (looked for {self.branches[name]}); give a file that has it, or a task "
                "that does not need it."
            )


@runtime_checkable
class EventSource(Protocol):
    """One input file that yields event records.

    ``path``: a local path or a URL, as given. ``recognised``: field of the record → branches it is read from.
    ``kinds``: collection of deposits → whether it is read from ``objects`` or ``images``, and what part of the detector
    these cover where it is not all. ``events_at_once``: as many events as are well read in one call. ``production``:
    what simulation with weights in pb the events are of, None for all others.
    """

    path: str
    n_events: int
    events_at_once: int
    missing: Missing
    recognised: dict[str, str]
    kinds: dict[str, str]
    production: Production | None

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        ...

    def read(self, start: int, stop: int, collections: Collection[str]) -> ak.Array:
        """Events ``start:stop`` as a record array with the named collections of ``COLLECTIONS``.

        ``id`` yields the plain fields run, lumi, event and gen_weight (float64, 1 where a file has none), ``met`` one
        number an event; ``pv`` also yields ``n_pv``. A field listed in ``missing`` is absent from its collection, or 0
        where nodes are made of it (tracks, ecal).
        """
        ...


@runtime_checkable
class Remarking(Protocol):
    """A source that knows of faults of its file which it mends while it reads."""

    def remarks(self, collections: Collection[str]) -> list[str]:
        """What is read otherwise than it stands in the file, of the named collections, a sentence each."""
        ...


@dataclass(frozen=True)
class ImagePoints:
    """The non-zero pixels of J images, P nodes in all: an image file's substitute for the event record.

    ``jets``: column name → [J] (those of ``PointSource.read_jets``, and ``event``). ``counts`` [J]: nodes of each jet,
    which lie in order. ``rows``, ``columns`` [P]: crystals from the window's centre, −62 … 62; of whole events, pixels
    from the image's corner. ``channel`` [P]. ``eta``, ``phi`` [P, rad]: middles of the pixels of whole events.
    ``variables``: ``value, d0, dz, d0_sig, dz_sig, time``, each [P] float32, 0 where the image holds nothing.
    """

    jets: dict[str, NDArray]
    counts: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    channel: NDArray[np.uint8]
    variables: dict[str, NDArray[np.float32]]
    eta: NDArray[np.float64] | None = None
    phi: NDArray[np.float64] | None = None


@runtime_checkable
class PointSource(Protocol):
    """One input file of images, which yields nodes directly.

    ``channels``: the detector layers of its planes. ``recognised``: jet quantity or plane → column it is read from.
    ``of_events``: whether the images are of whole events, not of jets.
    """

    path: str
    missing: Missing
    channels: frozenset[Channel]
    recognised: dict[str, str]
    kinds: dict[str, str]
    of_events: bool

    @property
    def n_jets(self) -> int: ...

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        ...

    def weights(self, start: int, stop: int) -> NDArray[np.float64]:
        """Weights of jets ``start:stop`` that the file gives them, 1 where it gives none."""
        ...

    def read_jets(self, start: int, stop: int) -> dict[str, NDArray]:
        """Jet quantities of jets ``start:stop`` without their images, each [J]: of ``jet_pt, jet_eta, jet_phi,
        jet_mass, seed_ieta, seed_iphi, truth_label, run, lumi, event, …`` those that the file holds; any other one of
        the event record's jet fields is listed in ``missing`` as ``jets.NAME``.
        """
        ...

    def read(self, start: int, stop: int) -> ImagePoints:
        """Images of jets ``start:stop`` as points, with their jet quantities and a jet identity in ``event``."""
        ...
