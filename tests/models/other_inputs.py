"""Inputs other than all there are: fewer, in a small region, of hits or tracks alone, of whole events."""

from e2egraph.tasks.inputs import resolve
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.region import JET_REGION, RegionConfig

# Six channels and four variables, in another order than the tables', without charge.
SIX = resolve(
    ["rho", "d0_sig", "value", "dz_sig"],
    ["TRACK", "BPIX1", "BPIX2", "BPIX3", "HCAL", "ECAL"],
    ["jet_pt"],
    JET_REGION,
    KIND.quantities,
)

# 33×33 crystals around one, as of electrons and photons; tracks are not the first channel.
SMALL_REGION = RegionConfig(centre="crystal", half_window=16).region
CROP = resolve(["value", "time", "d0"], ["ECAL", "TRACK", "HCAL", "BPIX1"], [], SMALL_REGION, {})

# No node has an energy.
HITS = resolve(["rho"], ["BPIX1", "BPIX2"], [], JET_REGION, {})

TRACKS = resolve(["value", "d0"], ["TRACK"], [], JET_REGION, {})

# All of φ.
WHOLE_DETECTOR = RegionConfig(centre="none", abs_eta_max=2.5).region
EVENT = resolve(["value", "d0", "dz"], ["TRACK", "ECAL", "HCAL"], [], WHOLE_DETECTOR, {})
