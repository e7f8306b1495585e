"""The pile-up pool, kept between runs: starting Pythia for minimum-bias events takes longer than anything else does.

A pool is kept under the hash of all that it depends on, so that another version, seed or setting never finds it; what
the hash cannot tell, such as a file that a setting names, is never kept. A run of the same seed has the same pool
whatever its hard process is: signal and background share it.
"""

from __future__ import annotations

import importlib.util
import io
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from e2egraph.config import as_dict, digest
from e2egraph.locks import one_at_a_time
from e2egraph.simulation.generation import generator, particles, pileup
from e2egraph.simulation.generation.generator import Generator, pythia_settings
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.generation.pileup import Pool, make_pool
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.response.response import AcceptanceConfig
from e2egraph.usercache import cache_file, keep_cached

# Pools that stay in the cache, some 7 MB each.
MOST_POOLS = 32

# A setting that says all by itself: numbers, or on and off. Any other value may be the name of a file.
_PLAIN = re.compile(r"^\s*[\w:]+\s*=\s*(on|off|yes|no|true|false|[-+.,\de\s{}]+)\s*$", re.IGNORECASE)
# Reads what Pythia has kept in a file.
_REUSES = re.compile(r"reuseInit", re.IGNORECASE)

# Of each particle; the others are the same for all of a pool.
_COLUMNS = ("pdg", "charge", "mass", "px", "py", "pz", "x", "y", "z", "t")


def pool_of(config: GeneratorConfig, seed: int, events: int, acceptance: AcceptanceConfig, origin: str) -> Pool:
    """The pool of ``events`` events that a Pythia of ``seed`` generates: the kept one, or a new one, which is kept.

    ``origin`` names the process in errors, which are those of ``Generator`` and ``make_pool``.
    """
    key = _key(config, seed, events, acceptance)
    path = cache_file("pools", f"{key}.npz") if key is not None else None
    if key is None or path is None:
        return _generated(config, seed, events, acceptance, origin)
    if (pool := _read(path, key)) is not None:
        return pool
    with one_at_a_time(f"pool {path}"):
        pool = _read(path, key)  # another run may have made it meanwhile
        if pool is None:
            pool = _generated(config, seed, events, acceptance, origin)
            keep_cached(path, _written(pool, key), MOST_POOLS)
    return pool


def _generated(config: GeneratorConfig, seed: int, events: int, acceptance: AcceptanceConfig, origin: str) -> Pool:
    return make_pool(Generator(config, seed, origin).generate(events), acceptance)


def _key(config: GeneratorConfig, seed: int, events: int, acceptance: AcceptanceConfig) -> str | None:
    """Hash of all that a pool depends on; None where that cannot be told."""
    library = importlib.util.find_spec("pythia8mc")
    if library is None or library.origin is None or os.environ.get("PYTHIA8DATA"):
        return None
    if not all(_PLAIN.match(line) and not _REUSES.search(line) for line in config.settings):
        return None
    try:
        built = Path(library.origin).stat()
        pythia = [version("pythia8mc"), built.st_size, built.st_mtime_ns]
    except (OSError, PackageNotFoundError):
        return None
    # The libraries of mathematics differ in the last bit between processors.
    machine = [platform.machine(), platform.libc_ver(), _processor()]
    code = [sha256(Path(module.__file__ or "").read_bytes()).hexdigest() for module in (generator, particles, pileup)]
    return digest(
        {
            "columns": _COLUMNS,
            "settings": pythia_settings(config, seed, None),
            "slha": config.slha,
            "events": events,
            "acceptance": as_dict(acceptance),
            "versions": {"pythia8mc": pythia, "numpy": np.__version__},
            "machine": machine,
            "code": code,
        }
    )


def _processor() -> str:
    """What tells processors apart that compute differently; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features"))), "")


def _written(pool: Pool, key: str) -> bytes:
    columns: dict[str, NDArray] = {name: getattr(pool.particles, name) for name in _COLUMNS}
    if pool.weight is not None:
        columns["weight"] = pool.weight
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, key=np.array(key), offsets=pool.offsets, **columns)
    return stream.getvalue()


def _read(path: Path, key: str) -> Pool | None:
    """The pool in a file; None where there is none, or a damaged one (each column has a checksum)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files}
        return _pool(columns) if columns.pop("key").item() == key else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _pool(columns: Mapping[str, NDArray]) -> Pool:
    offsets = columns["offsets"]
    size = int(offsets[-1])
    particles = {
        **{name: columns[name] for name in _COLUMNS},
        "event": np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)),
        "collision": np.zeros(size, dtype=np.int64),
        "gen": np.full(size, -1, dtype=np.int64),
        "stop_radius": np.full(size, np.inf),
    }
    if {particles[field.name].shape for field in fields(Particles)} != {(size,)}:
        raise ValueError("columns of different length")
    return Pool(offsets, Particles(**particles), columns.get("weight"))
