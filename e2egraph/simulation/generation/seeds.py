"""Random numbers of a run: one seed gives each process others, for its events, its pile-up and the detector."""

from __future__ import annotations

import hashlib
from enum import IntEnum
from pathlib import Path

import numpy as np

from e2egraph.config import changed, digest
from e2egraph.simulation.generation.generator_files import FILE_SETTINGS, named_file
from e2egraph.simulation.generation.process import GeneratorConfig

# Pythia knows so many seeds (manual, "Random-Number Seed": 1 to 900,000,000), all of which --seed can choose.
PYTHIA_SEEDS = 900_000_000
MAX_SEED = PYTHIA_SEEDS - 1


class Stream(IntEnum):
    """What random numbers are for."""

    HARD = 0
    POOL = 1
    RESPONSE = 2
    TAGS = 3


class Seeds:
    """The random numbers that ``seed``, from 0 to ``MAX_SEED``, gives to what ``config`` generates.

    They depend on the generator section, by its content: not on the detector, on the number of pile-up collisions or on
    where files lie, so that the same hard collisions can be seen with others of these.
    """

    def __init__(self, config: GeneratorConfig, seed: int) -> None:
        self._seed = seed
        self._process = generator_digest(config)

    def pythia(self, stream: Stream) -> int:
        """A seed for ``Generator``, from 0 to ``MAX_SEED``: of one process another for each ``seed``."""
        begin = hashlib.sha256(f"{self._process} {stream.name}".encode()).digest()
        return (int.from_bytes(begin) + self._seed) % PYTHIA_SEEDS

    def entropy(self, stream: Stream, *numbers: int) -> tuple[int, ...]:
        """For ``numpy.random.default_rng``; ``numbers`` say which part of the stream."""
        return int(self._process, 16), self._seed, int(stream), *numbers

    def rng(self, stream: Stream, *numbers: int) -> np.random.Generator:
        """Random numbers of a part of the stream."""
        return np.random.default_rng(self.entropy(stream, *numbers))


def generator_digest(config: GeneratorConfig) -> str:
    """SHA-256 of what ``config`` generates, the same in every process and on every machine: its options but those left
    at their defaults, with the content of files that the settings name in place of their paths."""
    return digest({**changed(config), "settings": [_by_content(line) for line in config.settings]})


def _by_content(line: str) -> str:
    name, file = named_file(line)
    path = Path(file + FILE_SETTINGS.get(name, "")) if file is not None else None
    if path is None or not path.is_file():
        return line
    with path.open("rb") as content:
        return f"{name} = {hashlib.file_digest(content, 'sha256').hexdigest()}"
