"""The significance of counting jets beyond a threshold, for every threshold of a score and for cuts next to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import RESAMPLES, SEED
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.counting import Jets, Yields, thresholds, yields_above, yields_of
from e2egraph.evaluation.significance.discovery import discovery_scale
from e2egraph.evaluation.significance.formulas import FIVE_SIGMA, asimov_limit, asimov_z, exact_z
from e2egraph.evaluation.significance.results import Counting, CutsResult, Discovery, Scan, Significance
from e2egraph.evaluation.significance.spread import Spread, resampled

Floats = NDArray[np.float64]


def significance(
    jets: Jets,
    analysis: Analysis,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    limits: tuple[str, ...] = (),
    counted: str = "objects",
) -> Significance:
    """Scan the score of ``jets``, whose yields are those at the analysis's luminosity; ``limits`` are passed on.

    ``counted``: what they are called, such as ``jets`` or ``events``.

    Only thresholds that at least ``minimum_background_jets`` (effective number) pass have a Z. InputError: there are
    fewer in all.
    """
    least, r = analysis.minimum_background_jets, analysis.background_uncertainty
    cuts, everything = thresholds(jets), yields_of(jets, np.ones(len(jets.score), bool))
    if not _enough(yields_above(jets, cuts), least).any():
        cuts = np.append(cuts, _loose_threshold(jets, float(cuts[-1]), least))
    above = yields_above(jets, cuts)
    used = _enough(above, least)
    z, exact = np.full(len(cuts), -np.inf), np.full(len(cuts), np.nan)
    z[used] = asimov_z(above.signal[used], above.background[used], r)
    exact[used] = exact_z(above.signal[used], above.background[used], r)
    best = int(z.argmax())
    reach = np.flatnonzero(z >= FIVE_SIGMA)
    spread = resampled(jets, cuts, used, best, r, resamples, seed)
    say = [
        *([f"expected {counted}, each counted as an event of its own"] if counted != "events" else []),
        *limits,
        f"thresholds that fewer than {least} background {counted} (effective number) pass have no significance",
    ]
    if len(jets.score) < ENOUGH_JETS:
        say.append(f"only {len(jets.score)} {counted}: with fewer than {ENOUGH_JETS}, errors are rough")
    if above.effective[best] < 2 * least:
        say.append(
            f"the optimum rests on {above.effective[best]:.0f} background {counted}: tighter thresholds, perhaps "
            "better ones, have too few to tell"
        )
    if spread.optimism is not None and spread.optimism > 0:
        say.append(
            f"choosing the threshold on the {counted} that measure it lifts Z by about {spread.optimism:.2f} "
            "(bootstrap, not subtracted)"
        )
    if spread.optimum_error is None:
        say.append(f"the optimum has no error: {_why_no_error(spread, jets, 'background', 'the threshold', counted)}")
    known = _Experiments(above, cuts, everything, analysis)
    discovery = known.discovery(used)
    if discovery is None:
        say.append(known.saturation(used, "the score"))
    result = None
    if jets.passes is not None:
        result = _cuts(jets, jets.passes, everything, analysis, spread, say, counted)
    return Significance(
        luminosity=analysis.luminosity,
        background_uncertainty=r,
        signal_jets=int(jets.is_signal.sum()),
        background_jets=int((~jets.is_signal).sum()),
        optimum=known.counting(best),
        optimum_error=spread.optimum_error,
        optimism=spread.optimism,
        discovery=discovery,
        five_sigma_loosest=float(cuts[reach[-1]]) if len(reach) else None,
        five_sigma_tightest=float(cuts[reach[0]]) if len(reach) else None,
        cuts=result,
        scan=Scan(
            threshold=tuple(cuts.tolist()),
            signal=tuple(above.signal.tolist()),
            background=tuple(above.background.tolist()),
            z_asimov=tuple(float(value) if ok else None for value, ok in zip(z, used, strict=True)),
            z_exact=tuple(float(value) if ok else None for value, ok in zip(exact, used, strict=True)),
        ),
        limits=tuple(say),
        counted=counted,
    )


@dataclass(frozen=True)
class _Experiments:
    """K selections, by ``cuts`` [K] of the score (None: K = 1, not by the score), and what all jets together are."""

    yields: Yields
    cuts: Floats | None
    everything: Yields
    analysis: Analysis

    def counting(self, number: int, scale: float = 1.0) -> Counting:
        """Selection ``number``, with all yields multiplied by ``scale``."""
        s, b = float(self.yields.signal[number]), float(self.yields.background[number])
        quoted = bool(_enough(self.yields, self.analysis.minimum_background_jets)[number])
        r = self.analysis.background_uncertainty
        return Counting(
            threshold=None if self.cuts is None else float(self.cuts[number]),
            signal=scale * s,
            background=scale * b,
            signal_efficiency=s / float(self.everything.signal[0]),
            mistag=b / float(self.everything.background[0]),
            background_jets=float(self.yields.effective[number]),
            z_asimov=float(asimov_z(scale * s, scale * b, r)) if quoted else None,
            z_exact=float(exact_z(scale * s, scale * b, r)) if quoted else None,
            z_asimov_statistical=float(asimov_z(scale * s, scale * b)) if quoted else None,
        )

    def discovery(self, used: NDArray[np.bool_]) -> Discovery | None:
        """5σ by the best of the selections ``used`` [K]."""
        s, b = self.yields.signal[used], self.yields.background[used]
        found = discovery_scale(s, b, self.analysis.background_uncertainty)
        if found is None:
            return None
        scale, number = found
        return Discovery(scale * self.analysis.luminosity, self.counting(int(np.flatnonzero(used)[number]), scale))

    def saturation(self, used: NDArray[np.bool_], what: str) -> str:
        """Why there is no ``discovery``."""
        ratio = self.yields.signal[used] / self.yields.background[used]
        most = float(asimov_limit(ratio, self.analysis.background_uncertainty).max())
        if not most > 0.0:
            return f"no luminosity gives {what} 5 standard deviations: no signal is left"
        return (
            f"no luminosity gives {what} 5 standard deviations: with a background uncertainty of "
            f"{100 * self.analysis.background_uncertainty:g}% Z stays below {most:.2f}"
        )


def _cuts(
    jets: Jets,
    passes: NDArray[np.bool_],
    everything: Yields,
    analysis: Analysis,
    spread: Spread,
    limits: list[str],
    counted: str,
) -> CutsResult:
    """The cut-based selection; what cannot be said of it goes to ``limits``."""
    known = _Experiments(yields_of(jets, passes), None, everything, analysis)
    counting = known.counting(0)
    discovery = efficiency = ratio = None
    enough = _enough(known.yields, analysis.minimum_background_jets)
    if not enough[0]:
        limits.append(
            f"{counting.background_jets:.1f} background {counted} (effective number) pass the cuts, fewer than "
            f"{analysis.minimum_background_jets}: they have no significance and no ratio"
        )
    else:
        discovery = known.discovery(enough)
        if discovery is None:
            limits.append(known.saturation(enough, "the cuts"))
        efficiency = roc_curve(jets.is_signal, jets.score, jets.yields).efficiency_at(counting.mistag)
        if counting.signal_efficiency > 0:
            ratio = efficiency / counting.signal_efficiency
            if spread.ratio_error is None:
                why = _why_no_error(spread, jets, "signal", "the cuts", counted)
                limits.append(f"the ratio of efficiencies has no error: {why}")
    return CutsResult(
        expression=analysis.selection or "",
        counting=counting,
        discovery=discovery,
        signal_efficiency_at_same_mistag=efficiency,
        ratio=ratio,
        ratio_error=None if ratio is None else spread.ratio_error,
    )


def _why_no_error(spread: Spread, jets: Jets, kind: str, what: str, counted: str) -> str:
    """Why some resamples have no value: a class of too few objects or, otherwise, too few ``kind`` pass ``what``."""
    if not spread.absent:
        return f"in some resamples no {kind} {counted} pass {what}"
    number, share = max(spread.absent.items(), key=lambda one: one[1])
    count = int(((jets.label == number) & (jets.yields > 0)).sum())
    which = "the signal" if jets.is_signal[jets.label == number].all() else "one class of background"
    return (
        f"{which} has only {count} {counted} with weight, and {100 * share:.2g}% of the resamples hold none of them; "
        "evaluate more"
    )


def _loose_threshold(jets: Jets, below: float, least: int) -> float:
    """The tightest threshold that enough background jets pass, where that is ``below`` all signal."""
    scores = np.unique(jets.score[jets.score < below])[::-1]
    enough = _enough(yields_above(jets, scores), least)
    if not enough.any():
        raise InputError(
            f"fewer than {least} background objects (effective number): no significance can be given; evaluate more."
        )
    return float(scores[enough.argmax()])


def _enough(yields: Yields, least: int) -> NDArray[np.bool_]:
    """Which selections [K] rest on enough background jets; rounding of the sums does not count."""
    return (yields.background > 0) & (yields.effective >= least * (1.0 - 1e-9))
