"""The numbers of the detector response, as configs/detector.yaml gives them with their sources; lengths in cm."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from e2egraph.config import configuration, rising
from e2egraph.simulation.particleflow.muonconfig import MuonsConfig
from e2egraph.simulation.response.calorimeterconfig import EcalConfig, Fraction, HcalConfig, NonNegative, Positive
from e2egraph.simulation.response.jetsconfig import BTaggingConfig, FatJetsConfig, JetsConfig


@configuration
class SolenoidConfig:
    """The magnet. ``field``: uniform magnetic field along +z [T]."""

    field: float


@configuration
class BeamSpotConfig:
    """Centre (x, y, z) and Gaussian widths of the luminous region [cm], and its width in time [ns].

    ``x``, ``y``, ``z`` [cm]: centre. ``sigma_xy`` [cm]: width across the beams. ``sigma_z`` [cm]: width along the
    beams. ``sigma_t`` [ns]: width in time.
    """

    x: float
    y: float
    z: float
    sigma_xy: NonNegative
    sigma_z: NonNegative
    sigma_t: NonNegative


@configuration
class AcceptanceConfig:
    """Which particles are followed at all: |η| and, for charged ones pT, for neutral ones energy [GeV].

    ``max_eta``: largest |η|. ``min_pt`` [GeV]: least pT of charged particles, least energy of neutral ones.
    """

    max_eta: Positive
    min_pt: NonNegative


@configuration
class MaterialConfig:
    """Tracker material.

    ``eta`` → ``radiation_lengths``: total thickness [X₀] against |η|, interpolated. ``interaction_per_radiation``:
    λ_I thickness per X₀ thickness. ``radius``, ``share``: the cylinders [cm] it is thought to sit on, and their shares.
    ``conversion_min_energy``, ``interaction_min_momentum``: softer particles pass through [GeV]. Electrons radiate
    photons of at least ``radiation_min_energy`` [GeV] that take at least ``radiation_min_share`` of their energy.
    ``secondaries_base``, ``secondaries_per_log``: mean number of secondaries of a nuclear interaction,
    base + per_log·ln(1 + p/GeV), at least two. ``secondary_kick``: mean transverse momentum of one [GeV].
    ``neutral_pion_fraction``: of the secondaries.

    ``eta``: values of |η| at which the thickness is given. ``radiation_lengths`` [X₀]: the thickness at each.
    ``radiation_min_energy`` [GeV]: least energy of a photon that an electron radiates. ``radiation_min_share``:
    least share of the electron's energy that it takes.
    """

    eta: tuple[float, ...]
    radiation_lengths: tuple[NonNegative, ...]
    interaction_per_radiation: NonNegative
    radius: tuple[Positive, ...]
    share: tuple[NonNegative, ...]
    conversion_min_energy: NonNegative
    radiation_min_energy: Positive
    radiation_min_share: Annotated[float, Field(gt=0, le=1)]
    interaction_min_momentum: NonNegative
    secondaries_base: NonNegative
    secondaries_per_log: NonNegative
    secondary_kick: NonNegative
    neutral_pion_fraction: Fraction

    def __post_init__(self) -> None:
        if len(self.eta) != len(self.radiation_lengths) or not rising(self.eta):
            raise ValueError("eta of the material must rise and have as many entries as radiation_lengths")
        if len(self.radius) != len(self.share) or not rising(self.radius) or not sum(self.share) > 0:
            raise ValueError(
                "radius of the material must rise and have as many entries as share, which need a positive sum"
            )


@configuration
class TracksConfig:
    """Track reconstruction: acceptance, efficiency, resolution, fakes.

    Efficiency = ``plateau`` · (1 − ``turn_on_loss``·exp(−(pT − ``min_pt``)/``turn_on_scale``)) · (1 − ``forward_loss``
    beyond |η| = ``forward_eta``) · exp(−r_production/``displacement_scale``) · exp(−``core_loss``·neighbours), with
    the neighbours in a cell of ``core_cell`` × ``core_cell`` in η × φ that begin no further out. A track needs to
    live to ``min_stop_radius`` [cm]. Resolutions (pT in GeV, σ in cm):
    σ(pT)/pT = ``pt_scattering``·forward ⊕ ``pt_curvature``·pT·forward, with forward = 1 + ``pt_forward_growth``·η²;
    σ(d0) = ``d0_asymptotic`` ⊕ ``d0_scattering``/(pT·√sin θ);
    σ(dz) = ``dz_asymptotic`` ⊕ ``dz_scattering``/(pT·√sin³ θ).
    A ``tail_fraction`` of tracks is measured ``tail_scale`` times worse than their errors say.
    An electron's track keeps the pT that it began with, less up to what it radiates in the tracker: its curvature is
    measured larger by ``radiation_tail`` times the radiated share times an exponential number of mean 1.
    ``direction_sigma``: η and φ at the ECAL [rad]. Fakes: Poisson with mean ``fakes_per_track``, near a real track
    (``fake_spread`` in η, φ), pT = ``min_pt`` + exponential of mean ``fake_pt`` [GeV], impact parameters of width
    ``fake_d0``, ``fake_dz`` [cm]. ``max_turns``: tracks that curl further before the ECAL have no impact point there.

    ``min_pt`` [GeV]: least pT of a track. ``max_eta``: largest |η|. ``plateau``: efficiency of isolated central
    tracks of high pT. ``turn_on_loss``: share lost at ``min_pt``. ``turn_on_scale`` [GeV]: over which that fades.
    ``forward_eta``: |η| beyond which ``forward_loss`` counts. ``forward_loss``: share lost there.
    ``displacement_scale`` [cm]: of the loss with the radius of production. ``min_stop_radius`` [cm]: radius that a
    track needs to reach. ``core_cell``: side of the cell in η × φ in which neighbours are counted. ``core_loss``:
    loss for each neighbour. ``pt_scattering``: relative error of pT from scattering. ``pt_curvature``: relative
    error of pT for each GeV. ``pt_forward_growth``: growth of both with η². ``d0_asymptotic``, ``dz_asymptotic``
    [cm]: error at high pT. ``d0_scattering``, ``dz_scattering`` [cm]: error from scattering at 1 GeV.
    ``tail_fraction``: share of tracks that are measured worse than their errors say. ``tail_scale``: by how many
    times. ``radiation_tail``: growth of an electron's curvature with the share that it radiates.
    ``fakes_per_track``: mean number of fakes for each track. ``fake_pt`` [GeV]: mean pT of fakes above ``min_pt``.
    ``fake_spread``: distance of fakes from their track in η and φ. ``fake_d0``, ``fake_dz`` [cm]: width of the
    fakes' impact parameters.
    """

    min_pt: NonNegative
    max_eta: Positive
    plateau: Fraction
    turn_on_loss: Fraction
    turn_on_scale: Positive
    forward_eta: Positive
    forward_loss: Fraction
    displacement_scale: Positive
    min_stop_radius: NonNegative
    core_cell: Positive
    core_loss: NonNegative
    pt_scattering: NonNegative
    pt_curvature: NonNegative
    pt_forward_growth: NonNegative
    d0_asymptotic: Positive
    d0_scattering: NonNegative
    dz_asymptotic: Positive
    dz_scattering: NonNegative
    tail_fraction: Fraction
    tail_scale: Positive
    radiation_tail: NonNegative
    direction_sigma: NonNegative
    fakes_per_track: NonNegative
    fake_pt: Positive
    fake_spread: NonNegative
    fake_d0: NonNegative
    fake_dz: NonNegative
    max_turns: Positive


@configuration
class VerticesConfig:
    """Vertex reconstruction.

    A collision becomes a vertex with at least ``min_tracks`` tracks of pT > ``min_track_pt`` [GeV] from it (the hard
    one always). Position resolution σ = ``sigma_xy``/√n, ``sigma_z``/√n, never below the ``floor`` [cm].

    ``min_tracks``: tracks that make a vertex. ``min_track_pt`` [GeV]: least pT of these. ``sigma_xy``, ``sigma_z``
    [cm]: error of the position from one track. ``floor`` [cm]: least error of the position.
    """

    min_tracks: int = Field(ge=1)
    min_track_pt: NonNegative
    sigma_xy: NonNegative
    sigma_z: NonNegative
    floor: NonNegative


@configuration
class LayerConfig:
    """One tracker barrel layer.

    ``radius`` and ``half_length`` [cm], hit resolutions ``sigma_rphi`` and ``sigma_z`` [cm], hit ``efficiency``, mean
    ``noise`` hits per event, and the cell ``merge_rphi`` × ``merge_z`` [cm] within which crossings give a single hit.

    ``radius`` [cm]: distance to the beam line. ``half_length`` [cm]: largest |z|. ``sigma_rphi``, ``sigma_z`` [cm]:
    error of a hit along r·φ and z. ``efficiency``: share of crossings that give a hit. ``noise``: mean number of
    noise hits per event. ``merge_rphi``, ``merge_z`` [cm]: sides of the cell within which crossings give one hit.
    """

    radius: Positive
    half_length: Positive
    sigma_rphi: NonNegative
    sigma_z: NonNegative
    efficiency: Fraction
    noise: NonNegative
    merge_rphi: Positive
    merge_z: Positive


@configuration
class HitsConfig:
    """Tracker hits: ``max_turns`` a looping particle makes before the material stops it, and the ``layers``.

    ``max_turns``: turns of a looping particle at most.
    """

    max_turns: Positive
    layers: dict[str, LayerConfig]


@configuration
class CandidatesConfig:
    """Candidates, of which jets are made.

    ``kind``: 'shares' takes from the simulation which energy tracks explain, as particle flow without confusion;
    'rules' is rule-based particle flow (``reconstruction.rules``), for which of what follows ``charged_dz`` alone
    has a meaning. ``rules``: file of ``configs/particleflow`` with its constants.
    ``charged_dz`` [cm]: a track nearer in z to another vertex than to the primary one, and further than this from the
    latter, is removed (charged-hadron subtraction). ``photon_threshold``, ``neutral_threshold`` [GeV]: least energy
    of a neutral cluster in ECAL and HCAL; ``cluster_cells``: ECAL crystals a side in one cluster.
    """

    charged_dz: NonNegative
    photon_threshold: NonNegative
    neutral_threshold: NonNegative
    cluster_cells: int = Field(ge=1)
    kind: Literal["shares", "rules"] = "shares"
    rules: str = "detector"


@configuration
class DetectorConfig:
    """The whole response: one detector YAML.

    ``fat_jets``: a second collection of jets, stored as ``fatjet…``. ``b_tagging``: jets get ``jetHadronFlavour`` and
    ``jetBTag``. ``met``: whether the missing transverse momentum is stored. ``muons``: the muon
    system, which plays a part with the option ``particle_flow`` and with ``candidates.kind: rules``.
    """

    solenoid: SolenoidConfig
    beam_spot: BeamSpotConfig
    acceptance: AcceptanceConfig
    material: MaterialConfig
    tracks: TracksConfig
    vertices: VerticesConfig
    hits: HitsConfig
    ecal: EcalConfig
    hcal: HcalConfig
    candidates: CandidatesConfig
    jets: JetsConfig
    fat_jets: FatJetsConfig | None = None
    b_tagging: BTaggingConfig | None = None
    met: bool = False
    muons: MuonsConfig | None = None

    @model_validator(mode="after")
    def _fat_jets_of_jets(self) -> DetectorConfig:
        fat = self.fat_jets
        if fat is not None and fat.constituent_min_pt < self.jets.min_pt:
            raise ValueError(
                f"fat_jets are clustered from jets above fat_jets.constituent_min_pt = {fat.constituent_min_pt:g} GeV, "
                f"but jets.min_pt = {self.jets.min_pt:g} GeV keeps harder ones alone; raise the one or lower the other"
            )
        return self
