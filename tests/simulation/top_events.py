"""What the simulated tops of ``conftest`` are made with, and their collections as flat arrays."""

import awkward as ak
import numpy as np

EVENTS, SEED = 30, 11
# A small pool: starting Pythia twice is what takes the time.
FEW = ["process.pile_up.pool_events=40"]
ALONE = ["process.pile_up.mean=0"]


def flat(array):
    return ak.to_numpy(ak.flatten(array)).astype(np.float64)


def event_of(array):
    return np.repeat(np.arange(len(array)), ak.to_numpy(ak.num(array)))
