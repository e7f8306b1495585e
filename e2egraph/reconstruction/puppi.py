"""PUPPI: the probability that a particle without a track comes from the hard collision, by what is near it.

D. Bertolini, P. Harris, M. Low, N. Tran, JHEP 10 (2014) 059, arXiv:1407.6013, section 2, with the squares of CMSSW
(``CommonTools/PileupAlgos``: ``PuppiContainer.cc``, ``PuppiAlgo.cc``, algorithm 5 of ``Puppi_cff.py``), its constants
for |η| < 2.5 and the order of its cuts. Other than in CMSSW:

- no correction at low pile-up (``applyLowPUCorr``);
- the median is the mean of the two middle values of an even number (there the upper one), and the width the root mean
  square of those below it (there the median counts as one of them);
- where pile-up says nothing, neutral particles of any pT are kept (there the cut on their pT still holds);
- the same constants beyond |η| = 2.5, where CMSSW has others and takes neutral particles into α.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.reconstruction.links import within
from e2egraph.reconstruction.particles import ParticleColumns
from e2egraph.reconstruction.sums import sums


@dataclass(frozen=True)
class PuppiConfig:
    """``cone`` and ``least_distance``: largest and smallest distance in (η, φ) at which charged particles count.

    ``pile_up_abs_eta``, ``pile_up_pt`` [GeV]: charged pile-up up to this |η| and from this pT says what α is in
    pile-up. ``least_weight``: smaller ones become 0. ``neutral_pt``, ``neutral_pt_slope`` [GeV]: neutral particles
    whose weighted pT is below ``neutral_pt + neutral_pt_slope · vertices`` get the weight 0. ``hard_pt_start``,
    ``hard_pt`` [GeV]: then neutral ones weigh at least what rises from 0 to 1 between these pT.

    In CMSSW they are ``cone``, ΔR² < 0.0001 of ``var_within_R``, ``EtaMaxExtrap``, ``rmsPtMin``, ``MinPuppiWeight``,
    ``MinNeutralPt``, ``MinNeutralPtSlope``, ``PtMaxNeutralsStartSlope`` and ``PtMaxNeutrals``.
    """

    cone: float = 0.4
    least_distance: float = 0.01
    pile_up_abs_eta: float = 2.0
    pile_up_pt: float = 0.1
    least_weight: float = 0.01
    neutral_pt: float = 0.2
    neutral_pt_slope: float = 0.015
    hard_pt_start: float = 20.0
    hard_pt: float = 200.0


def puppi_weights(
    particles: ParticleColumns,
    charged: Booleans,
    pile_up: Booleans,
    vertices: Integers,
    config: PuppiConfig | None = None,
) -> Floats:
    """The weights [K] of K ``particles`` in E events, between 0 and 1.

    ``charged`` [K]: has a track; ``pile_up`` [K]: of these, those that come from another vertex, whose weight is 0
    where that of the other charged ones is 1. ``vertices`` [E]: primary vertices of each event. In an event whose
    charged pile-up says nothing (less than two particles near charged ones of the hard collision), neutral particles
    keep the weight 1.
    """
    config = config or PuppiConfig()
    event, size = particles.event, len(vertices)
    hard = charged & ~pile_up
    alpha = _alpha(particles, hard, config)
    tells = charged & pile_up & (np.abs(particles.eta) < config.pile_up_abs_eta) & (particles.pt > config.pile_up_pt)
    tells &= np.isfinite(alpha)
    median, width = _median_and_left_width(alpha[tells], event[tells], size)
    above = alpha - median[event]
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(above > 0, chi2.cdf(np.square(above / width[event]), df=1), 0.0)
    dropped = weight * particles.pt < config.neutral_pt + config.neutral_pt_slope * vertices[event]
    weight = np.where(dropped, 0.0, weight)
    hardness = (particles.pt - config.hard_pt_start) / (config.hard_pt - config.hard_pt_start)
    weight = np.maximum(weight, np.minimum(hardness, 1.0))
    weight = np.where(weight < config.least_weight, 0.0, weight)
    weight = np.where(width[event] > 0, weight, 1.0)
    return np.where(charged, (~pile_up).astype(np.float64), weight)


def _alpha(particles: ParticleColumns, hard: Booleans, config: PuppiConfig) -> Floats:
    """α of each particle, log Σ (pT / ΔR)² over the other charged ones of the hard collision near it; −∞ of none."""
    centre, other, distance = within(particles, particles.take(hard), config.cone)
    near = np.flatnonzero(hard)[other]
    counts = (near != centre) & (distance >= config.least_distance)
    centre, near, distance = centre[counts], near[counts], distance[counts]
    terms = np.square(particles.pt[near] / distance)
    with np.errstate(divide="ignore"):
        return np.log(sums(centre, terms, len(particles)))


def _median_and_left_width(values: Floats, group: Integers, size: int) -> tuple[Floats, Floats]:
    """Median of each group, and the root of the mean square below it, [size]; 0 width of groups without one."""
    order = np.lexsort((values, group))
    values, group = values[order], group[order]
    counts = np.bincount(group, minlength=size)
    first = np.cumsum(counts) - counts
    padded = np.append(values, 0.0)
    middle = 0.5 * (
        padded[first + np.maximum(counts - 1, 0) // 2] + padded[np.minimum(first + counts // 2, len(values))]
    )
    median = np.where(counts > 0, middle, 0.0)
    left = values < median[group]
    below = np.square(values - median[group])[left]
    number = sums(group[left], np.ones(len(below)), size)
    return median, np.sqrt(sums(group[left], below, size) / np.maximum(number, 1))
