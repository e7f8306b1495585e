"""A bundle as a callable: jets in, class probabilities or predicted quantities out, by ONNX Runtime alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from e2egraph.data.padding import DenseArrays
from e2egraph.data.scores import NO_PREDICTION, NO_SCORE
from e2egraph.errors import InputError, UsageError, first_line
from e2egraph.export.bundle import (
    MODEL_FILE,
    VARIANTS,
    Metadata,
    class_head,
    first_tensors,
    quantity_head,
    read_metadata,
)
from e2egraph.export.one_thread import ORT_FATAL
from e2egraph.export.preprocess import read_cap
from e2egraph.graphs.making.nodeselection import first_nodes, select_nodes
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.verification import sha256_of
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.outputs import TENSORS

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; ``Bundle.open`` makes it.

    ``cap``: nodes of an object that are read (the first ones); ``sha256``: of the ONNX file in use.
    """

    folder: Path
    metadata: Metadata
    cap: int
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
        cap = read_cap(folder, metadata.inputs, metadata.outputs, metadata.uses_jet)
        onnxruntime.set_default_logger_severity(ORT_FATAL)  # its errors come back as exceptions
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no common class
            raise InputError(
                f"{path}: ONNX Runtime cannot load it ({first_line(error)}); export the run again."
            ) from error
        for kind, tensors in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            if {tensor.name: tensor.shape for tensor in tensors} != metadata.tensors[kind]:
                raise InputError(f"{path}: its {kind} are not those of metadata.json; export the run again.")
        return Bundle(folder, metadata, cap, session, sha256)

    @cached_property
    def inputs(self) -> Inputs:
        """What the network reads; no object quantities where it reads none."""
        inputs = self.metadata.inputs
        return inputs if self.metadata.uses_jet else replace(inputs, object=())

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the task, in the order of their labels."""
        return self.metadata.info.classes

    def select(self, clouds: PointClouds, numbers: Mapping[str, int] | None = None) -> PointClouds:
        """The nodes that the network was trained on: those of the task, and of these what the run selected.

        Not yet cut to ``cap`` (``cut``). ``numbers``: channel → its number in ``clouds``, the
        bundle's own where not given.
        """
        numbers = numbers or self.inputs.numbers
        info, periodic = self.metadata.info, self.inputs.region.periodic
        of_task = select_nodes(clouds, info.task_selection.among(numbers), numbers, periodic=periodic)
        return select_nodes(of_task, replace(info.node_selection, cap=None), numbers, periodic=periodic)

    def cut(self, clouds: PointClouds) -> PointClouds:
        """The first ``cap`` nodes of each object, before they are padded; column ``nodes_cut`` grows by the others."""
        first = first_nodes(clouds, NodeSelection(cap=self.cap), {})
        return replace(first, jets={**first.jets, "nodes_cut": first.jets["nodes_cut"] + clouds.counts - first.counts})

    def feeds(self, jets: DenseArrays) -> dict[str, Float32s]:
        """The model's inputs, channels first and float32, of at most ``cap`` nodes; ``jets`` are padded in the order of
        ``inputs``."""
        n = self.cap
        inputs = {
            "points": np.ascontiguousarray(jets.points[:, :n].transpose(0, 2, 1)),
            "features": np.ascontiguousarray(jets.features[:, :n].transpose(0, 2, 1)),
            "mask": np.ascontiguousarray(jets.mask[:, None, :n], np.float32),
        }
        return inputs | ({"jet": np.ascontiguousarray(jets.jet[:, :, None])} if self.metadata.uses_jet else {})

    def probabilities(self, jets: DenseArrays) -> Float32s:
        """Class probabilities [B, C] of padded jets (B may be 0), −1 for one without nodes; ValueError where there are
        none."""
        head = class_head(self.metadata.outputs)
        return self._one(TENSORS["softmax"][0] if head is None else head.tensor, jets)

    def logits(self, jets: DenseArrays) -> Float32s:
        """Scores before softmax [B, C] of padded jets (B may be 0), NaN for one without nodes; ValueError where there
        are none."""
        return self._one("logits", jets)

    def predictions(self, jets: DenseArrays) -> Float32s:
        """Predicted quantities [B, T] of padded jets (B may be 0), with units, NaN for one without nodes; ValueError
        where there are none."""
        head = quantity_head(self.metadata.outputs)
        return self._one(TENSORS["none"][0] if head is None else head.tensor, jets)

    def values(self, jets: DenseArrays) -> Float32s:
        """Probabilities and predicted quantities [B, C] (of nodes: [B, N, C]) side by side, in the order of
        ``metadata.outputs``."""
        found = self.outputs(jets, first_tensors(self.metadata.outputs))
        return np.concatenate(list(found.values()), axis=-1)

    def outputs(self, jets: DenseArrays, tensors: Sequence[str] | None = None) -> dict[str, Float32s]:
        """Tensor → [B, columns] of padded jets (B may be 0): all of the model's outputs, or those named.

        A jet without nodes has probability −1 and NaN for all else.
        """
        columns = self.metadata.outputs.tensors
        names = list(columns if tensors is None else tensors)
        if len(jets) == 0:
            return {name: np.empty((0, columns[name]), np.float32) for name in names}
        try:
            results = self.session.run(names, self.feeds(jets))
        except Exception as error:  # ONNX Runtime's errors have no common class
            shape = f"{len(jets)} objects of {jets.mask.shape[1]} nodes"
            raise InputError(
                f"{self.folder}: ONNX Runtime fails on {shape} ({first_line(error)}); lower --batch-size."
            ) from error
        found = dict(zip(names, results, strict=True))
        head, empty = class_head(self.metadata.outputs), ~jets.mask.any(axis=1)
        for name, values in found.items():
            values[empty] = NO_SCORE if head is not None and name == head.tensor else NO_PREDICTION
        return found

    def _one(self, name: str, jets: DenseArrays) -> Float32s:
        if name not in self.metadata.outputs.tensors:
            raise ValueError(f"{self.folder} gives {', '.join(self.metadata.outputs.tensors)}, and no {name}")
        return self.outputs(jets, [name])[name]


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
