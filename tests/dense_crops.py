"""The oracle of the equivalence contract: images cropped from an ntuple's dense branches, sharing no package code.

The crop is that of the published converters (ntuples.md §1): centre crystal 5·i+2, 62 on either side, φ wrapped; HCAL
upsampled 5×5 and divided by 25.
"""

from pathlib import Path

import numpy as np
import uproot

IMAGE_BRANCHES = {
    "track_pt": "ECAL_tracksPt_atECALfixIP",
    "track_d0_sig": "ECAL_tracksD0Sig_atECALfixIP",
    "track_dz_sig": "ECAL_tracksDzSig_atECALfixIP",
    "BPIX1": "BPIX_layer1_ECAL_atPV",
    "BPIX2": "BPIX_layer2_ECAL_atPV",
    "BPIX3": "BPIX_layer3_ECAL_atPV",
    "TIB1": "TIB_layer1_ECAL_atPV",
    "TOB2": "TOB_layer2_ECAL_atPV",
    "ECAL": "ECAL_energy",
}
CHANNELS = (*IMAGE_BRANCHES, "HCAL")

# Settings under which every jet and every channel of the contract is built.
BUILD_SETTINGS = [
    "inputs.channels=[TRACK,BPIX1,BPIX2,BPIX3,TIB1,TOB2,ECAL,HCAL]",
    "inputs.suppress_displaced=false",
    "truth.source=sample_name",
    "resampling=null",
]


class DenseFile:
    """The dense branches of a small ntuple, in memory; entry i holds event number i + 1."""

    def __init__(self, path: Path) -> None:
        with uproot.open(path) as file:
            self._branches = file["fevt/RHTree"].arrays([*IMAGE_BRANCHES.values(), "HBHE_energy"], library="np")

    def crop(self, event_number: int, seed_row: int, seed_column: int) -> dict[str, np.ndarray]:
        """Channel → [125, 125] around the seed tower."""
        images = self.whole(event_number)
        rows = np.arange(5 * seed_row + 2 - 62, 5 * seed_row + 2 + 63)
        columns = np.arange(5 * seed_column + 2 - 62, 5 * seed_column + 2 + 63) % 360
        return {name: image[rows][:, columns] for name, image in images.items()}

    def whole(self, event_number: int) -> dict[str, np.ndarray]:
        """Channel → [280, 360], all of an event."""
        whole = {name: self._branches[branch][event_number - 1] for name, branch in IMAGE_BRANCHES.items()}
        images = {name: image.reshape(280, 360) for name, image in whole.items()}
        towers = self._branches["HBHE_energy"][event_number - 1].reshape(56, 72)
        images["HCAL"] = np.repeat(np.repeat(towers, 5, axis=0), 5, axis=1) / np.float32(25)
        return images
