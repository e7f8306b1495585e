"""The dense image branches of ``RHTree``, filled from the per-object values exactly as they are stored.

Every pixel follows from the float32 numbers in the vectors by ``detector``'s maps, sums taken in float64 and stored in
float32: ECAL sums energies; track channels count, sum (pT, charge·pT) or average (d0, dz and their significances) per
crystal at the ECAL surface; hit channels count by η and φ with respect to the primary vertex, ρ = √(x² + y²),
η = asinh(z/ρ), φ = atan2(y, x) in float64. What lies beyond the rows is in the vectors alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import (
    BARREL_FIRST_ROW,
    BARREL_ROWS,
    ECAL_COLUMNS,
    ECAL_ROWS,
    HCAL_BARREL_FIRST_ROW,
    HCAL_BARREL_ROWS,
    HCAL_COLUMNS,
    HCAL_ROWS,
    Floats,
    Integers,
    ecal_column,
    ecal_row,
)

Image = NDArray[np.float32]

# Branch → (hit_sub_det, hit_layer).
HIT_IMAGES: dict[str, tuple[int, int]] = {
    "BPIX_layer1_ECAL_atPV": (1, 1),
    "BPIX_layer2_ECAL_atPV": (1, 2),
    "BPIX_layer3_ECAL_atPV": (1, 3),
    "BPIX_layer4_ECAL_atPV": (1, 4),
    "TIB_layer1_ECAL_atPV": (3, 1),
    "TIB_layer2_ECAL_atPV": (3, 2),
    "TOB_layer1_ECAL_atPV": (5, 1),
    "TOB_layer2_ECAL_atPV": (5, 2),
}

# Branch → length of its flattened image.
IMAGE_SIZES: dict[str, int] = {
    "EB_energy": BARREL_ROWS * ECAL_COLUMNS,
    "EB_time": BARREL_ROWS * ECAL_COLUMNS,
    "ECAL_energy": ECAL_ROWS * ECAL_COLUMNS,
    "HBHE_energy": HCAL_ROWS * HCAL_COLUMNS,
    "HBHE_energy_EB": HCAL_BARREL_ROWS * HCAL_COLUMNS,
    **{
        f"ECAL_tracks{kind}_atECALfixIP": ECAL_ROWS * ECAL_COLUMNS
        for kind in ("", "Pt", "QPt", "D0", "D0Sig", "Dz", "DzSig")
    },
    **dict.fromkeys(HIT_IMAGES, ECAL_ROWS * ECAL_COLUMNS),
}

Columns = Mapping[str, NDArray]


def image_names(layers: Iterable[Channel]) -> tuple[str, ...]:
    """The image branches of a detector with these ``layers`` of hits."""
    here = {layer.cms for layer in layers}
    return tuple(name for name in IMAGE_SIZES if name not in HIT_IMAGES or HIT_IMAGES[name] in here)


def dense_images(
    events: int, tracks: Columns, hits: Columns, ecal: Columns, hcal: Columns, names: Sequence[str]
) -> dict[str, Image]:
    """Image branches [E, rows·columns] of ``events`` events, from flat columns as stored, each with ``event``."""
    crystals = (ECAL_ROWS, ECAL_COLUMNS)
    energy = fill(events, ecal["event"], ecal["ieta"], ecal["iphi"], crystals, ecal["energy"])
    time = fill(events, ecal["event"], ecal["ieta"], ecal["iphi"], crystals, ecal["time"])
    tower = fill(events, hcal["event"], hcal["ieta"], hcal["iphi"], (HCAL_ROWS, HCAL_COLUMNS), hcal["energy"])
    barrel = slice(BARREL_FIRST_ROW, BARREL_FIRST_ROW + BARREL_ROWS)
    central = slice(HCAL_BARREL_FIRST_ROW, HCAL_BARREL_FIRST_ROW + HCAL_BARREL_ROWS)
    images = {
        "EB_energy": energy[:, barrel],
        "EB_time": time[:, barrel],
        "ECAL_energy": energy,
        "HBHE_energy": tower,
        "HBHE_energy_EB": tower[:, central],
        **_track_images(events, tracks),
        **_hit_images(events, hits, [name for name in names if name in HIT_IMAGES]),
    }
    return {name: np.ascontiguousarray(image).reshape(events, -1) for name, image in images.items()}


def fill(
    events: int,
    event: Integers,
    row: Integers,
    column: Integers,
    shape: tuple[int, int],
    weight: NDArray | None = None,
    mean: bool = False,
) -> Image:
    """Images [E, rows, columns]: sum (or ``mean``) of ``weight`` per pixel (None: counts), in float64, then float32."""
    rows, columns = shape
    inside = (row >= 0) & (row < rows)
    place = (event[inside] * rows + row[inside]) * columns + column[inside]
    pixels, where, counts = np.unique(place, return_inverse=True, return_counts=True)
    values = counts.astype(np.float64)
    if weight is not None:
        values = np.bincount(where, weight[inside].astype(np.float64), minlength=len(pixels))
    image = np.zeros(events * rows * columns, dtype=np.float32)
    image[pixels] = values / counts if mean else values
    return image.reshape(events, rows, columns)


def _track_images(events: int, tracks: Columns) -> dict[str, Image]:
    shape = (ECAL_ROWS, ECAL_COLUMNS)
    place = (tracks["event"], ecal_row(tracks["eta"]), ecal_column(tracks["phi"]), shape)
    wide = {name: tracks[name].astype(np.float64) for name in ("pt", "charge", "d0", "dz", "d0Err", "dzErr")}
    sums: dict[str, Floats | None] = {"": None, "Pt": wide["pt"], "QPt": wide["charge"] * wide["pt"]}
    means: dict[str, Floats] = {
        "D0": wide["d0"],
        "D0Sig": wide["d0"] / wide["d0Err"],
        "Dz": wide["dz"],
        "DzSig": wide["dz"] / wide["dzErr"],
    }
    images = {kind: fill(events, *place, weight) for kind, weight in sums.items()}
    images |= {kind: fill(events, *place, weight, mean=True) for kind, weight in means.items()}
    return {f"ECAL_tracks{kind}_atECALfixIP": image for kind, image in images.items()}


def _hit_images(events: int, hits: Columns, names: Sequence[str]) -> dict[str, Image]:
    x, y, z = (hits[name].astype(np.float64) for name in ("global_x", "global_y", "global_z"))
    row = ecal_row(np.arcsinh(z / np.hypot(x, y)))
    column = ecal_column(np.arctan2(y, x))
    images = {}
    for name in names:
        detector, layer = HIT_IMAGES[name]
        here = (hits["sub_det"] == detector) & (hits["layer"] == layer)
        images[name] = fill(events, hits["event"][here], row[here], column[here], (ECAL_ROWS, ECAL_COLUMNS))
    return images
