"""A bundle as a callable: jets in, class probabilities out, by ONNX Runtime alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from e2egraph.data.padding import DenseArrays
from e2egraph.errors import InputError, UsageError
from e2egraph.export.bundle import MODEL_FILE, VARIANTS, Metadata, input_shapes, read_metadata
from e2egraph.export.one_thread import ORT_FATAL
from e2egraph.export.preprocess import read_max_nodes
from e2egraph.graphs.manifest import sha256_of
from e2egraph.graphs.nodeselection import select_nodes
from e2egraph.graphs.pointclouds import PointClouds

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; ``Bundle.open`` makes it.

    ``max_nodes``: nodes of a jet that are read (the first ones); ``sha256``: of the ONNX file in use.
    """

    folder: Path
    metadata: Metadata
    max_nodes: int
    session: Any
    sha256: str

    @staticmethod
    def open(folder: Path, threads: int = 0, variant: str | None = None) -> Bundle:
        """Open and check a bundle; ``threads`` of ONNX Runtime inside one operator, 0 for one a core.

        ``variant``: one of ``bundle.VARIANTS`` instead of ``model.onnx``. InputError: not a bundle, incomplete,
        damaged, of another version, or without that variant. UsageError: no such variant.
        """
        metadata = read_metadata(folder)
        path, sha256 = _model_file(folder, metadata, variant)
        max_nodes = read_max_nodes(folder, metadata.uses_jet)
        onnxruntime.set_default_logger_severity(ORT_FATAL)  # its errors come back as exceptions
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no common class
            raise InputError(f"{path}: ONNX Runtime cannot load it ({_line(error)}); export the run again.") from error
        if [tensor.name for tensor in session.get_inputs()] != list(input_shapes(metadata.uses_jet)):
            raise InputError(f"{path}: its inputs are not those of metadata.json; export the run again.")
        return Bundle(folder, metadata, max_nodes, session, sha256)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return self.metadata.info.classes

    def select(self, clouds: PointClouds) -> PointClouds:
        """The nodes that the network was trained on; not yet cut to ``max_nodes``, as the caller may want to count."""
        return select_nodes(clouds, replace(self.metadata.info.node_selection, cap=None))

    def feeds(self, jets: DenseArrays) -> dict[str, Float32s]:
        """The model's inputs, channels first and float32, of at most ``max_nodes`` nodes."""
        n = self.max_nodes
        inputs = {
            "points": np.ascontiguousarray(jets.points[:, :n].transpose(0, 2, 1)),
            "features": np.ascontiguousarray(jets.features[:, :n].transpose(0, 2, 1)),
            "mask": np.ascontiguousarray(jets.mask[:, None, :n], np.float32),
        }
        return inputs | ({"jet": np.ascontiguousarray(jets.jet[:, :, None])} if self.metadata.uses_jet else {})

    def probabilities(self, jets: DenseArrays) -> Float32s:
        """Softmax probabilities [B, C] of padded jets (B may be 0)."""
        return self._run("softmax", jets)

    def logits(self, jets: DenseArrays) -> Float32s:
        """Scores before softmax [B, C] of padded jets (B may be 0)."""
        return self._run("logits", jets)

    def _run(self, output: str, jets: DenseArrays) -> Float32s:
        if len(jets) == 0:
            return np.empty((0, len(self.classes)), np.float32)
        try:
            (result,) = self.session.run([output], self.feeds(jets))
        except Exception as error:  # ONNX Runtime's errors have no common class
            shape = f"{len(jets)} jets of {jets.mask.shape[1]} nodes"
            raise InputError(
                f"{self.folder}: ONNX Runtime fails on {shape} ({_line(error)}); lower the batch size."
            ) from error
        scores: Float32s = result
        return scores


def _model_file(folder: Path, metadata: Metadata, variant: str | None) -> tuple[Path, str]:
    """The ONNX file to run and its SHA-256; that of a variant is checked here."""
    if variant is None:
        return folder / MODEL_FILE, metadata.model_sha256
    if variant not in VARIANTS:
        raise UsageError(f"unknown variant '{variant}'; choose one of {', '.join(VARIANTS)}.")
    found = metadata.variants.get(variant)
    if found is None:
        raise InputError(f"{folder}: holds no {variant} variant; export the run with --{variant}.")
    path = folder / found.file
    if path.parent != folder or not path.is_file() or sha256_of(path) != found.sha256:
        raise InputError(f"{path}: missing, damaged or altered (SHA-256 differs); export the run again.")
    return path, found.sha256


def _line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
