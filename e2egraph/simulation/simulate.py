"""``e2egraph simulate``: generate, overlay pile-up, let the detector respond, write ``fevt/RHTree``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, configuration, find_config, override, read_yaml, validate
from e2egraph.errors import UsageError
from e2egraph.reconstruction.rulesconfig import read_rules
from e2egraph.simulation.batch import respond
from e2egraph.simulation.btagging import draw_tags, hadron_flavour
from e2egraph.simulation.detectorfile import detector_content, detector_path
from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.generation.generator_files import with_contents, with_folder
from e2egraph.simulation.generation.pileup import draw_collisions, final_state, make_pool, overlay
from e2egraph.simulation.generation.process import ProcessConfig
from e2egraph.simulation.generation.seeds import MAX_SEED, Seeds, Stream
from e2egraph.simulation.generation.truth import gen_record
from e2egraph.simulation.normalisation import generation_record, normalise
from e2egraph.simulation.particleflow.muonconfig import known_muons
from e2egraph.simulation.response.images import dense_images, image_names
from e2egraph.simulation.response.response import DetectorConfig
from e2egraph.simulation.response.trackerhits import layers
from e2egraph.simulation.writer import RHTreeWriter, stored

# Events simulated at once; and written at once with images, 6.6 MB an event in memory.
EVENTS_PER_BATCH, IMAGES_PER_BATCH = 100, 25

MONTE_CARLO_RUN = 1

# How the name of a configuration of the user's own ends.
YAML = (".yaml", ".yml")

# Of a batch's response, the part of the muon system.
_MUONS = 1


@configuration
class SimulationConfig:
    """What ``--set`` reaches: ``process.…`` and ``detector.…``."""

    process: ProcessConfig
    detector: DetectorConfig


@dataclass(frozen=True)
class SimulationSummary:
    """What was written: ``seconds`` is the whole call, ``events_per_second`` leaves out starting Pythia and the pool.

    ``jets`` counts the stored ones. ``tried``, ``kept``: events generated, and those that passed the filter, of which
    some can be left over; None without one. ``cross_section``: σ·ε [pb], None for a process without a stated one.
    """

    path: Path
    process: str
    events: int
    jets: int
    seconds: float
    startup_seconds: float
    events_per_second: float
    tried: int | None = None
    kept: int | None = None
    cross_section: float | None = None


def read_settings(process: str, settings: Sequence[str] = (), detector: str = "detector") -> SimulationConfig:
    """The configuration of a run: process and detector YAML (shipped names or paths), with ``settings`` applied.

    Files that the generator's settings name are looked for in the folder of the process YAML, those of ``settings`` in
    the working folder. Raises UsageError on an unknown name, key or value, and on a missing file.
    """
    process_path = find_config("processes", process)
    detector_file = detector_path(detector)
    content = {
        "process": with_folder(read_yaml(process_path), process_path.parent),
        "detector": detector_content(detector_file),
    }
    content = override(content, settings)
    if isinstance(content["process"], dict):
        content["process"] = with_contents(with_folder(content["process"], Path()), process)
    config = validate(SimulationConfig, content, f"{process_path} and {detector_file}")
    layers(config.detector.hits)
    return config


class Simulation:
    """Events of one process in one detector, batch by batch: a seeded Pythia and the pile-up pool."""

    def __init__(self, config: SimulationConfig, seed: int, origin: str, particle_flow: bool = False) -> None:
        """Start Pythia and fill the pool; ``origin`` names the process in errors, ``particle_flow`` is as of
        ``simulate``.

        Raises UsageError on a wrong pile-up process or setting, or when particle flow finds no muon system, InputError
        when Pythia is missing or refuses to start.
        """
        self._config, self._origin = config, origin
        self._particle_flow = particle_flow
        candidates = config.detector.candidates
        self._rules = read_rules(candidates.rules) if candidates.kind == "rules" else None
        if particle_flow:
            known_muons(config.detector.muons, "--particle-flow")
        if self._rules is not None:
            known_muons(config.detector.muons, "candidates.kind: rules")
        pile_up = pile_up_process(config)
        self._seeds = Seeds(config.process.generator, seed)
        self._generator = Generator(config.process.generator, self._seeds.pythia(Stream.HARD), origin)
        self._pool = None
        if pile_up is not None:
            pool_seed = self._seeds.pythia(Stream.POOL)
            generator = Generator(pile_up.generator, pool_seed, config.process.pile_up.process)
            events = generator.generate(config.process.pile_up.pool_events)
            self._pool = make_pool(events, config.detector.acceptance)

    def batch(self, number: int, size: int) -> tuple[Generated, dict[str, dict[str, NDArray]]]:
        """The next ``size`` events: as generated, and what ``respond`` gives of them.

        ``number`` tells apart the detector's random numbers of batches; ask for batches in order.
        """
        config, rng = self._config, self._seeds.rng(Stream.RESPONSE, number)
        generated = self._generator.generate(size)
        record = gen_record(generated, config.process.truth)
        hard = final_state(generated, record.link, config.detector.acceptance)
        collisions = draw_collisions(size, config.process.pile_up.mean, config.detector.beam_spot, rng)
        particles = overlay(hard, self._pool, collisions, rng)
        muons = self._particle_flow or self._rules is not None
        muon_rng = self._seeds.rng(Stream.RESPONSE, number, _MUONS) if muons else None
        columns = respond(
            particles, collisions, record, config.detector, rng, muon_rng,
            particle_flow=self._particle_flow, rules=self._rules,
        )  # fmt: skip
        if config.detector.b_tagging is not None:
            jets, radius = columns["jet"], config.detector.jets.radius
            flavour = hadron_flavour(jets, columns["gen"], size, radius)
            stream, first = self._seeds.entropy(Stream.TAGS), number * EVENTS_PER_BATCH
            tags = draw_tags(jets, flavour, size, config.detector.b_tagging, stream, first)
            jets |= {"HadronFlavour": stored(flavour, "int32"), "BTag": stored(tags, "int32")}
        return generated, columns

    @property
    def filtered(self) -> tuple[int | None, int | None]:
        """Events generated so far, and those of them that passed the filter; None without one."""
        counts = self._generator.filter
        return (None, None) if counts is None else (counts.tried, counts.kept)

    def record_generation(self, writer: RHTreeWriter, weights: NDArray[np.float64]) -> float | None:
        """Write what is needed for σ·ε: events tried and kept by the filter, Pythia's cross section before it (a gun
        has none), and, for a process with a cross-section, what is used of it and the events' weights in pb.

        ``weights`` [E]: the generator's, of the events written. Returns σ·ε [pb]; None for a process that states no
        cross-section. With neither a filter nor a cross-section nothing is written.
        """
        process, counts = self._config.process, self._generator.filter
        pythia_pb = 0.0 if process.generator.gun is not None else self._generator.cross_section
        found = normalise(process, weights, counts, pythia_pb, self._origin)
        content = generation_record(process, counts, pythia_pb, found)
        if counts is not None or found is not None:
            writer.record_generation(json.dumps(content), None if found is None else found.weights)
        return None if found is None else found.after_filter


def simulate(
    process: str,
    events: int,
    seed: int,
    output: Path,
    *,
    images: bool = True,
    particle_flow: bool = False,
    settings: Sequence[str] = (),
    detector: str = "detector",
    progress: Callable[[int], None] | None = None,
) -> SimulationSummary:
    """Simulate ``events`` events of ``process`` and write them to the ROOT file ``output``.

    ``images``: also write the dense image branches. ``particle_flow``: also write what particle flow is learnt from,
    the particles of all collisions, which cells and tracks are theirs, and more of the tracks. ``settings``: overrides
    such as ``process.pile_up.mean=40``. ``progress`` is called with the number of events done. The whole configuration
    is kept in the file, as JSON, under ``fevt/configuration``. The same arguments give the same content. Raises
    UsageError on wrong arguments and configurations, InputError when Pythia or FastJet is missing or the file cannot be
    written.
    """
    started = time.perf_counter()
    if events < 1:
        raise UsageError(f"--events {events}: give a number of events of 1 or more.")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"--seed {seed}: give a whole number from 0 to {MAX_SEED}.")
    config = read_settings(process, settings, detector)
    jets, done = 0, 0
    weights = np.empty(events)
    output = Path(output)
    made_by = {
        "name": process,
        "version": __version__,
        "events": events,
        "seed": seed,
        "images": images,
        **_description(config, particle_flow),
    }
    switches = {
        "fat_jets": config.detector.fat_jets,
        "b_tagging": config.detector.b_tagging,
        "met": config.detector.met,
        "particle_flow": particle_flow,
    }
    optional = [name for name, switch in switches.items() if switch]
    pictures = image_names(layers(config.detector.hits)) if images else ()
    with RHTreeWriter(output, pictures, json.dumps(made_by), optional) as writer:
        simulation = Simulation(config, seed, process, particle_flow)
        ready = time.perf_counter()
        while done < events:
            size = min(EVENTS_PER_BATCH, events - done)
            generated, columns = simulation.batch(done // EVENTS_PER_BATCH, size)
            jets += len(columns["jet"]["event"])
            weights[done : done + size] = generated.weight
            step = IMAGES_PER_BATCH if images else size
            for start in range(0, size, step):
                stop = min(start + step, size)
                part = _slice(columns, start, stop)
                _write(writer, part, generated.weight[start:stop], seed, done + start, pictures)
                if progress is not None:
                    progress(done + stop)
            done += size
        cross_section = simulation.record_generation(writer, weights)
    ended = time.perf_counter()
    tried, kept = simulation.filtered
    return SimulationSummary(
        path=output,
        process=process,
        events=events,
        jets=jets,
        seconds=ended - started,
        startup_seconds=ready - started,
        events_per_second=events / (ended - ready),
        tried=tried,
        kept=kept,
        cross_section=cross_section,
    )


def pile_up_process(config: SimulationConfig) -> ProcessConfig | None:
    """The process of the pile-up, at the energy of the hard one and with its tune, if it has none of its own; None when
    there is no pile-up."""
    pile_up = config.process.pile_up
    if pile_up.mean == 0:
        return None
    path = find_config("processes", pile_up.process)
    content = with_contents(with_folder(read_yaml(path), path.parent), str(path))
    hard = config.process.generator
    own = validate(ProcessConfig, override(content, [f"generator.energy={hard.energy}"]), str(path))
    if hard.tune is None or own.generator.tune is not None:
        return own
    return replace(own, generator=replace(own.generator, tune=hard.tune))


def _description(config: SimulationConfig, particle_flow: bool) -> dict[str, Any]:
    """What a file says of its configuration, without options that play no part in it. Files of the user's own that it
    names stand in it with what they say."""
    content = as_dict(config)
    pile_up, named = content["process"]["pile_up"], config.process.pile_up.process
    if named.endswith(YAML) and (process := pile_up_process(config)) is not None:
        pile_up["process"] = {"file": named, **as_dict(process)}
    gun = content["process"]["generator"]["gun"] or {}
    for name in ("pt", "energy", "grid"):
        if gun.get(name, 0) is None:
            del gun[name]
    candidates = content["detector"]["candidates"]
    by_rules = candidates["kind"] == "rules"
    if not by_rules:
        del candidates["kind"], candidates["rules"]
    elif candidates["rules"].endswith(YAML):
        candidates["rules"] = {"file": candidates["rules"], **as_dict(read_rules(candidates["rules"]))}
    if not (by_rules or particle_flow):
        del content["detector"]["muons"]
    return {"particle_flow": True, **content} if particle_flow else content


def _slice(columns: Mapping[str, Mapping[str, NDArray]], start: int, stop: int) -> dict[str, dict[str, NDArray]]:
    """Events ``start:stop`` of a batch, their ``event`` index beginning at 0."""
    part = {}
    for name, members in columns.items():
        low, high = np.searchsorted(members["event"], [start, stop])
        part[name] = {key: value[low:high] for key, value in members.items()}
        part[name]["event"] = part[name]["event"] - start
    return part


def _write(
    writer: RHTreeWriter,
    columns: Mapping[str, Mapping[str, NDArray]],
    weight: NDArray[np.float64],
    seed: int,
    first: int,
    images: Sequence[str],
) -> None:
    size = len(weight)
    vertices = np.bincount(columns["Vtx"]["event"], minlength=size)
    scalars = {
        "eventId": np.arange(first + 1, first + size + 1),
        "runId": np.full(size, MONTE_CARLO_RUN),
        "lumiId": np.full(size, seed),
        "nVtx": vertices,
        "goodvertices": vertices,
        "genWeight": weight,
        **{name: values for name, values in columns.get("event", {}).items() if name != "event"},
    }
    tracks, hits, ecal, hcal = (columns[name] for name in ("track", "hit", "ecal", "hcal"))
    pictures = dense_images(size, tracks, hits, ecal, hcal, images) if images else {}
    writer.extend(scalars, columns, pictures)
