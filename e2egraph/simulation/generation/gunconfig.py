"""What a particle gun shoots: ``generator.gun`` of a process."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from e2egraph.config import configuration

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
# Protons of any collider have smaller rapidities: 9.5 at 7 TeV.
Pseudorapidity = Annotated[float, Field(ge=-10, le=10)]
Number = Annotated[int, Field(ge=1)]


@configuration
class GunConfig:
    """Particles ``pdg_id`` at ``pt`` [GeV], ``eta`` and ``mass`` [GeV] drawn evenly between two limits each.

    Without ``mass`` each has the mass of Pythia's table. ``bare``: one particle alone, with no pp collision around it
    and, unless ``pile_up.mean`` of the process is given, no pile-up.

    ``pdg_id``: PDG id of the particle. ``pt`` [GeV]: limits of pT. ``energy`` [GeV]: limits of the energy of a bare
    gun, in place of ``pt``; its logarithm is drawn evenly. ``grid``: of a bare gun, rows in η and columns in φ, with
    one particle in the middle half of each cell. ``eta``: limits of η. ``mass`` [GeV]: limits of the mass.
    """

    pdg_id: int
    pt: tuple[NonNegative, NonNegative] | None = None
    energy: tuple[Positive, Positive] | None = None
    grid: tuple[Number, Number] | None = None
    eta: tuple[Pseudorapidity, Pseudorapidity] = (-2.5, 2.5)
    mass: tuple[NonNegative, NonNegative] | None = None
    bare: bool = False

    @model_validator(mode="after")
    def _ranges(self) -> GunConfig:
        for name in ("pt", "energy", "eta", "mass"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} of the gun needs a lower and a higher limit, has {list(limits)}")
        return self

    @model_validator(mode="after")
    def _what_goes_together(self) -> GunConfig:
        if (self.pt is None) == (self.energy is None):
            raise ValueError("the gun needs either pt or energy, and not both")
        if not self.bare and (self.energy is not None or self.grid is not None):
            raise ValueError("energy and grid are for a gun that is bare; set bare: true or leave them out")
        return self
