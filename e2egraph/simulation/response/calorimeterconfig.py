"""The numbers of both calorimeters, as configs/detector.yaml gives them with their sources."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2egraph.config import configuration

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


@configuration
class ShowerConfig:
    """Lateral profile: a narrow and a wide logistic of scales ``core`` and ``halo`` (in cells), the latter holding
    ``halo_fraction`` of the energy.

    ``core`` [cells]: scale of the narrow part. ``halo`` [cells]: scale of the wide part. ``halo_fraction``: share
    of the energy in the wide part.
    """

    core: Positive
    halo: Positive
    halo_fraction: Fraction


@configuration
class CrystalConfig:
    """What the crystals are made of, for the showers of photons and electrons (electromagnetic.py).

    ``atomic_number``: effective. ``critical_energy`` [GeV]. ``moliere_radius`` and ``width`` of a crystal [cm].
    ``depth`` [X₀].

    ``critical_energy`` [GeV]: at which electrons lose as much by ionisation as by radiation. ``moliere_radius``
    [cm]: Molière radius. ``width`` [cm]: of a crystal. ``depth`` [X₀]: length of a crystal.
    """

    atomic_number: Positive
    critical_energy: Positive
    moliere_radius: Positive
    width: Positive
    depth: Positive


@configuration
class EcalConfig:
    """Electromagnetic calorimeter.

    σ(E)/E = ``stochastic``/√E ⊕ ``constant`` per shower, ``noise`` [GeV] per crystal, crystals below ``threshold``
    [GeV] suppressed. ``interaction_lengths``: depth for hadrons, which shower in it with probability 1 − exp(−depth)
    and then leave a Beta(``hadron_alpha``, ``hadron_beta``) share, else ``mip`` GeV. Time: σ(t) = ``time_noise``
    ·noise/E ⊕ ``time_constant`` [ns]. ``end_plane``: |z| of the endcap's face [cm]. ``ionisation``, ``hadronic``:
    lateral profiles of particles that do not shower and of hadrons that do.

    ``stochastic``: stochastic term, at 1 GeV. ``constant``: constant term. ``noise`` [GeV]: of a crystal.
    ``threshold`` [GeV]: least energy of a crystal that is kept. ``hadron_alpha``, ``hadron_beta``: parameters of
    the Beta distribution of the share that showering hadrons leave. ``mip`` [GeV]: what particles leave that do not
    shower. ``time_noise`` [ns]: time resolution at an energy equal to the noise. ``time_constant`` [ns]: time
    resolution at high energy.
    """

    stochastic: NonNegative
    constant: NonNegative
    noise: Positive
    threshold: Positive
    interaction_lengths: NonNegative
    hadron_alpha: Positive
    hadron_beta: Positive
    mip: NonNegative
    time_noise: NonNegative
    time_constant: NonNegative
    end_plane: Positive
    crystals: CrystalConfig
    ionisation: ShowerConfig
    hadronic: ShowerConfig


@configuration
class HcalConfig:
    """Hadron calorimeter.

    σ(E)/E = ``stochastic``/√E ⊕ ``constant`` per hadron (ECAL part included), ``noise`` [GeV] per tower, towers below
    ``threshold`` [GeV] suppressed, muons leave ``mip`` GeV.

    ``stochastic``: stochastic term, at 1 GeV. ``constant``: constant term. ``noise`` [GeV]: of a tower.
    ``threshold`` [GeV]: least energy of a tower that is kept. ``mip`` [GeV]: what muons leave.
    """

    stochastic: NonNegative
    constant: NonNegative
    noise: Positive
    threshold: Positive
    mip: NonNegative
    shower: ShowerConfig
