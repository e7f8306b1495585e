"""A physics process: what Pythia generates, what truth is kept, and the pile-up laid over it (configs/processes)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import ArgsKwargs

from e2egraph.config import configuration
from e2egraph.simulation.generation.eventfilter import FilterConfig
from e2egraph.simulation.generation.generator_files import named_file
from e2egraph.simulation.generation.gunconfig import GunConfig

# What every text in the SLHA format has.
_SLHA_LINE = re.compile(r"^\s*(block|decay)\s", re.IGNORECASE | re.MULTILINE)


@configuration
class GeneratorConfig:
    """What Pythia 8 generates.

    ``energy``: centre-of-mass energy [GeV]. ``pt_hat_minimum``, ``pt_hat_maximum``: limits on the p̂T of the hard
    2 → 2 scattering [GeV], refused where there is none; None leaves Pythia's own. ``tune``: Pythia's number (Tune:pp)
    of a set of parameters for showers, multiple interactions and hadrons, of pile-up too where its process has none;
    None leaves its own, Monash 2013 (14). ``settings``: lines of Pythia settings (pythia.org/latest-manual), which may
    change single numbers of a tune.
    ``slha``: masses, mixings and decays of new particles as text in the SUSY Les Houches Accord's format
    (arXiv:hep-ph/0311123, arXiv:0801.0045); a YAML or ``--set`` may name a file instead, which is then read. ``gun``
    takes the place of a physics process. ``filter``: what events need to have before the detector responds to them.
    """

    energy: float = Field(default=8000.0, gt=0)
    pt_hat_minimum: float | None = Field(default=None, ge=0)
    pt_hat_maximum: float | None = Field(default=None, gt=0)
    tune: int | None = Field(default=None, ge=1)
    settings: tuple[str, ...] = ()
    slha: str | None = None
    gun: GunConfig | None = None
    filter: FilterConfig | None = None

    @model_validator(mode="after")
    def _something_to_generate(self) -> GeneratorConfig:
        if not self.settings and self.gun is None:
            raise ValueError("generator has neither settings nor a gun; say what to generate")
        return self

    @model_validator(mode="after")
    def _limits_of_a_scattering(self) -> GeneratorConfig:
        low, high = self.pt_hat_minimum, self.pt_hat_maximum
        if self.gun is not None and (low, high) != (None, None):
            raise ValueError("a gun has no hard scattering; leave out pt_hat_minimum and pt_hat_maximum")
        if low is not None and high is not None and high <= low:
            # Which Pythia would take for no upper limit.
            raise ValueError(f"pt_hat_maximum {high:g} is not above pt_hat_minimum {low:g}; correct one of them")
        return self

    @model_validator(mode="after")
    def _one_slha(self) -> GeneratorConfig:
        if self.slha is None:
            return self
        if _SLHA_LINE.search(self.slha) is None:
            raise ValueError("slha holds no BLOCK and no DECAY; give text or a file in the SLHA format")
        if any(named_file(line)[0] == "slha:file" for line in self.settings):
            raise ValueError("slha and the setting SLHA:file are both given; keep one")
        return self


@configuration
class TruthConfig:
    """Which generator particles are stored and can be linked to.

    Always kept: the hard process with its resonances and their decay products (Pythia status 22 and 23), and the
    last copy of every b or c hadron and τ. In addition, final-state particles of the hard collision with pT above
    ``final_state_min_pt`` [GeV] and |η| below ``final_state_max_eta``.

    ``final_state_min_pt`` [GeV]: least pT of other final-state particles. ``final_state_max_eta``: their largest
    |η|. ``decayed``: PDG numbers, without sign, of particles that are kept by the same limits though they decayed, such
    as 111 for neutral pions.
    """

    final_state_min_pt: float = Field(default=0.2, ge=0)
    final_state_max_eta: float = Field(default=3.0, gt=0)
    decayed: tuple[Annotated[int, Field(ge=1)], ...] = ()


@configuration
class PileUpConfig:
    """Additional pp collisions in the same bunch crossing (in time only).

    ``mean``: Poisson mean of their number; unless given, 0 for a bare gun. ``pool_events``: minimum-bias events
    generated once a run and re-used, each time turned by a random angle and set at a random vertex. ``process``: the
    process YAML that generates them.
    """

    mean: float = Field(default=10.0, ge=0)
    pool_events: int = Field(default=1000, ge=1)
    process: str = "minimum_bias"


@configuration
class CrossSectionConfig:
    """Cross-section of what is generated, before the generator's filter.

    ``source``: where it is from, in words. ``pb`` [pb]: its value; Pythia's own estimate where not given.
    ``k_factor``: what multiplies Pythia's. ``production``: a name that all files of one production share although their
    generator settings differ, such as those that read the parts of one LHE sample.
    """

    source: str = Field(min_length=1)
    pb: float | None = Field(default=None, gt=0)
    k_factor: float = Field(default=1.0, gt=0)
    production: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_number(self) -> CrossSectionConfig:
        if self.pb is not None and self.k_factor != 1:
            raise ValueError("pb and k_factor are both given; keep one")
        return self


@configuration
class ProcessConfig:
    """One process: a YAML of ``configs/processes``.

    ``title``: what is generated, in words. ``cross_section``: with it, events get weights in pb.
    """

    title: str
    generator: GeneratorConfig
    truth: TruthConfig = Field(default_factory=TruthConfig)
    pile_up: PileUpConfig = Field(default_factory=PileUpConfig)
    cross_section: CrossSectionConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_guns_are_alone(cls, content: Any) -> Any:
        values: Any = content.kwargs if isinstance(content, ArgsKwargs) else content
        pile_up = _entry(values, "pile_up", {})
        bare = _entry(_entry(_entry(values, "generator"), "gun"), "bare")
        if bare is not True or not isinstance(pile_up, Mapping) or "mean" in pile_up:
            return content
        values = {**values, "pile_up": {**pile_up, "mean": 0.0}}
        return ArgsKwargs(content.args, values) if isinstance(content, ArgsKwargs) else values

    @model_validator(mode="after")
    def _guns_have_none(self) -> ProcessConfig:
        if self.cross_section is not None and self.generator.gun is not None:
            raise ValueError("a particle gun has no cross-section; leave cross_section out")
        return self


def _entry(group: Any, name: str, default: Any = None) -> Any:
    """What ``group``, not yet validated or a configuration already, has under ``name``."""
    return group.get(name, default) if isinstance(group, Mapping) else getattr(group, name, default)
