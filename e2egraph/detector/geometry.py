"""CMS barrel geometry: crystals, towers and the (η, φ) ↔ (row, column) maps of the ntuples.

Rows and columns are those of the MLAnalyzer images: ``ECAL_energy`` has 280×360 crystals (rows 55–224 are the
barrel), ``HBHE_energy`` 56×72 towers, and one tower covers 5×5 crystals exactly.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# CMS ECAL TDR (CERN/LHCC 97-33), §1.5: barrel crystals are 0.0174 × 0.0174 in η × φ, 360 of them in φ.
ETA_PITCH = 0.0174
PHI_PITCH = 2.0 * np.pi / 360.0
ECAL_ROWS, ECAL_COLUMNS = 280, 360
BARREL_FIRST_ROW, BARREL_ROWS = 55, 170

# CMS HCAL TDR (CERN/LHCC 97-31), §1.3: barrel towers are 0.087 × 0.087, so 5 × 5 crystals.
CRYSTALS_PER_TOWER = 5
HCAL_ROWS, HCAL_COLUMNS = 56, 72
HCAL_BARREL_FIRST_ROW, HCAL_BARREL_ROWS = 11, 34

# ECAL barrel column 0 starts at −10° (MLAnalyzer, ntuples.md §1).
FIRST_COLUMN_DEGREES = -10.0

# The jet window of the end-to-end papers: the centre crystal and 62 on either side.
WINDOW_HALF_WIDTH = 62
WINDOW_SIZE = 2 * WINDOW_HALF_WIDTH + 1

# A jet's seed is the most energetic tower within ±3 of the tower under its axis (MLAnalyzer, 7 × 7 towers).
SEED_REACH = 3

# Field of the solenoid along +z [T] (CMS, JINST 3 (2008) S08004, §2).
SOLENOID_FIELD = 3.8

# Steps of φ a turn in which nodes of whole events lie (4.9 µrad, far below any resolution), so that differences of φ
# are whole numbers of steps however an event is turned. Borders of crystals, and of 64 or 224 pixels around φ, are even
# steps.
PHI_STEPS = 2**12 * 315

# CMS, JINST 3 (2008) S08004: front face of the ECAL barrel (§4.1) and of the HCAL barrel (§5.1), in cm.
ECAL_RADIUS = 129.0
HCAL_RADIUS = 177.7

# Where the crystals of the endcaps begin, |z| [cm] (the same, §4.1; detector.yaml, ecal.end_plane).
END_PLANE = 317.0


Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def wrap_phi(phi: ArrayLike) -> Floats:
    """Bring angles [rad] into [−π, π)."""
    wrapped = np.mod(np.asarray(phi, dtype=np.float64) + np.pi, 2.0 * np.pi) - np.pi
    # np.mod of a tiny negative number rounds up to 2π itself.
    return np.where(wrapped >= np.pi, -np.pi, wrapped)


def delta_phi(phi: ArrayLike, reference: ArrayLike) -> Floats:
    """Wrapped difference ``phi − reference`` [rad], in [−π, π)."""
    return wrap_phi(np.asarray(phi, dtype=np.float64) - np.asarray(reference, dtype=np.float64))


def face_radius(radius: float, eta: Floats) -> Floats:
    """ρ [cm] at which a line from the detector's centre at ``eta`` meets a calorimeter's face: ``radius`` [cm] in the
    barrel, less in the endcaps, whose plane lies as far out as that of the crystals in proportion."""
    far = END_PLANE * radius / ECAL_RADIUS
    return np.minimum(radius, far / np.maximum(np.abs(np.sinh(eta)), 1e-9))


def between_phi_steps(phi: ArrayLike) -> Floats:
    """φ [rad] moved by one step of ``PHI_STEPS`` at most, to an odd one: no other pixel, and no border."""
    step = 2.0 * np.pi / PHI_STEPS
    return (2.0 * np.floor(wrap_phi(phi) / (2.0 * step)) + 1.0) * step


def ecal_row(eta: ArrayLike) -> Integers:
    """Row of the 280-row crystal image that holds η; below 0 or above 279 when η is outside the image."""
    return np.floor(np.asarray(eta, dtype=np.float64) / ETA_PITCH).astype(np.int64) + ECAL_ROWS // 2


def ecal_column(phi: ArrayLike) -> Integers:
    """Column 0–359 of the crystal image that holds φ [rad]: column e covers [e − 10, e − 9) degrees."""
    degrees = np.degrees(np.asarray(phi, dtype=np.float64))
    return np.floor(degrees - FIRST_COLUMN_DEGREES).astype(np.int64) % ECAL_COLUMNS


def ecal_eta(row: ArrayLike) -> Floats:
    """η of the centre of a crystal row (fractional rows allowed)."""
    return (np.asarray(row, dtype=np.float64) - ECAL_ROWS / 2 + 0.5) * ETA_PITCH


def ecal_phi(column: ArrayLike) -> Floats:
    """φ [rad] of the centre of a crystal column, in [−π, π)."""
    return wrap_phi(np.radians(np.asarray(column, dtype=np.float64) + FIRST_COLUMN_DEGREES + 0.5))


def hcal_row(eta: ArrayLike) -> Integers:
    """Row of the 56-row tower image that holds η."""
    return ecal_row(eta) // CRYSTALS_PER_TOWER


def hcal_column(phi: ArrayLike) -> Integers:
    """Stored column 0–71 of the tower image: column s covers crystal columns 5s … 5s+4."""
    return ecal_column(phi) // CRYSTALS_PER_TOWER


def centre_crystal(tower: ArrayLike) -> Integers:
    """Row (or column) of the crystal in the middle of a tower row (or column)."""
    return np.asarray(tower, dtype=np.int64) * CRYSTALS_PER_TOWER + CRYSTALS_PER_TOWER // 2


def signed_tower_ieta(row: ArrayLike) -> Integers:
    """CMS tower index −28…−1, 1…28 of a tower row 0…55."""
    row = np.asarray(row, dtype=np.int64)
    return np.where(row < HCAL_ROWS // 2, row - HCAL_ROWS // 2, row - HCAL_ROWS // 2 + 1)
