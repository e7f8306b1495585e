"""What a significance scan finds: values only, as they stand in ``significance.json``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counting:
    """A counting experiment: jets beyond ``threshold`` of the score (None: jets that pass the cuts).

    ``signal``, ``background``: expected jets; ``background_jets``: effective number of jets that the background is
    known from. ``z_asimov``, ``z_exact``: with the background's uncertainty; ``z_asimov_statistical``: without. The
    three are None where too few background jets pass.
    """

    threshold: float | None
    signal: float
    background: float
    signal_efficiency: float
    mistag: float
    background_jets: float
    z_asimov: float | None
    z_exact: float | None
    z_asimov_statistical: float | None


@dataclass(frozen=True)
class Discovery:
    """The ``luminosity`` [1/fb] at which Z (Asimov) is 5, and the counting experiment that it is."""

    luminosity: float
    counting: Counting


@dataclass(frozen=True)
class CutsResult:
    """A cut-based selection next to the score.

    ``discovery``: None where no luminosity suffices. ``signal_efficiency_at_same_mistag``: the score's, with its
    ``ratio`` to that of the cuts and the bootstrap error; None where too few background jets pass the cuts.
    """

    expression: str
    counting: Counting
    discovery: Discovery | None
    signal_efficiency_at_same_mistag: float | None
    ratio: float | None
    ratio_error: float | None


@dataclass(frozen=True)
class Scan:
    """Expected jets beyond each threshold [K], falling, and Z there; None where too few background jets pass."""

    threshold: tuple[float, ...]
    signal: tuple[float, ...]
    background: tuple[float, ...]
    z_asimov: tuple[float | None, ...]
    z_exact: tuple[float | None, ...]


@dataclass(frozen=True)
class Significance:
    """``optimum``: the threshold of largest Z (Asimov) among those that enough background jets pass.

    ``optimum_error``: bootstrap error of Z at that threshold. ``optimism``: how much a threshold chosen on the jets
    that also measure Z lifts it, on average over resamples. ``discovery``: 5σ with the threshold best for its
    luminosity; None: not reached at any. ``five_sigma_loosest``, ``…_tightest``: thresholds with Z ≥ 5 at the
    luminosity of the analysis; None where there is none. ``limits``: shortcomings as sentences. ``counted``: what the
    numbers are of, jets or events.
    """

    luminosity: float
    background_uncertainty: float
    signal_jets: int
    background_jets: int
    optimum: Counting
    optimum_error: float | None
    optimism: float | None
    discovery: Discovery | None
    five_sigma_loosest: float | None
    five_sigma_tightest: float | None
    cuts: CutsResult | None
    scan: Scan
    limits: tuple[str, ...]
    counted: str = "objects"
