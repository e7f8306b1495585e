"""One graph network to measure at one size after another, and the figures it has gathered."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from e2egraph.benchmark.kernels.memory import kept_bytes, peak_bytes
from e2egraph.benchmark.report import cpu_timed, timed
from e2egraph.benchmark.settings import Setting
from e2egraph.export.one_thread import one_thread_session
from e2egraph.export.onnx import to_onnx
from e2egraph.models.registry import ModelConfig, build_model
from e2egraph.tasks.inputs import Inputs as NodeInputs
from e2egraph.tasks.inputs import resolve
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.outputs import Level, Outputs, class_outputs
from e2egraph.tasks.region import JET_REGION
from e2egraph.tasks.task import DEFAULT_VARIABLES

# Jets with all nineteen features that the tables of the first tasks held, and two classes.
_CHANNELS = ("TRACK", "BPIX1", "BPIX2", "BPIX3", "BPIX4", "TIB1", "TIB2", "TOB1", "TOB2", "ECAL", "HCAL")
INPUTS = resolve(DEFAULT_VARIABLES, _CHANNELS, tuple(KIND.quantities), JET_REGION, KIND.quantities)
OUTPUTS = class_outputs(("background", "signal"))

Inputs = tuple[Tensor, ...]


@dataclass
class KernelCase:
    """``network`` as built, ``prepared`` as the setting runs it; ``figures``: (metric, N) → every measurement.

    ``level``: whether it gives a row per object or a node; ``session``: of ONNX Runtime, where that is measured too.
    """

    name: str
    setting: Setting
    network: nn.Module
    prepared: Any
    level: Level = "object"
    session: Any = None
    figures: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    @staticmethod
    def of(
        config: ModelConfig, setting: Setting, read: NodeInputs = INPUTS, outputs: Outputs = OUTPUTS, onnx: bool = False
    ) -> KernelCase:
        """A new network with the same random weights at every call, which reads ``read`` and gives ``outputs``;
        ``onnx``: exported as well."""
        torch.manual_seed(1)
        network = build_model(config, read, outputs)
        session = one_thread_session(to_onnx(network, read, outputs).SerializeToString()) if onnx else None
        prepared = setting.prepare(network, dynamic=False)
        return KernelCase(setting.case(config.name), setting, network, prepared, outputs.level, session)

    def median(self, metric: str, n: int) -> float:
        return float(np.median(self.figures[metric, n]))

    def forward(self, inputs: Inputs) -> Tensor:
        """Scores in evaluation mode, without gradient."""
        self.network.eval()
        with torch.no_grad(), self.setting.precision():
            scores: Tensor = self.prepared(*inputs)
        self.setting.synchronize()
        return scores

    def loss(self, inputs: Inputs) -> Tensor:
        """Cross entropy, or of nodes the mean square of all outputs, in training mode."""
        self.network.train()
        with self.setting.precision():
            scores = self.prepared(*inputs)
        if self.level == "node":
            return scores.float().square().mean()
        return F.cross_entropy(scores.float(), torch.zeros(len(scores), dtype=torch.int64, device=scores.device))

    def train(self, inputs: Inputs) -> None:
        """Forward and backward; the gradients are left in the parameters."""
        self.loss(inputs).backward()
        self.setting.synchronize()

    def measure_memory(self, inputs: Inputs) -> None:
        """Bytes at the peak of forward and backward, and kept between the two. Forward runs once before, to warm up,
        and so does ONNX Runtime, whose first call with tensors of a size takes longer.

        What a compiled network keeps is its compiler's affair; there the peak alone is taken.
        """
        n = inputs[0].shape[1]
        self.forward(inputs)
        if self.setting.compiled:
            self.train(inputs)
        else:
            held = [*inputs, *self.network.parameters(), *self.network.buffers()]
            self.figures["kept_bytes", n].append(kept_bytes(lambda: self.loss(inputs), held))
        self.network.zero_grad(set_to_none=True)
        self.figures["train_memory_bytes", n].append(peak_bytes(lambda: self.train(inputs), self.setting.device))
        self.network.zero_grad(set_to_none=True)
        if self.session is not None:
            self.session.run(None, _fed(inputs))

    def measure_time(self, inputs: Inputs) -> None:
        """Seconds of one forward pass, and of one forward and backward; on one CPU thread of its CPU time."""
        n = inputs[0].shape[1]
        clock = cpu_timed if self.setting.device == "cpu" and torch.get_num_threads() == 1 else timed
        self.figures["forward_seconds", n].append(clock(lambda: self.forward(inputs))[0])
        self.figures["train_seconds", n].append(clock(lambda: self.train(inputs))[0])
        self.network.zero_grad(set_to_none=True)
        if self.session is not None:
            fed = _fed(inputs)
            self.figures["onnx_seconds", n].append(clock(lambda: self.session.run(None, fed))[0])


def _fed(inputs: Inputs) -> dict[str, NDArray[np.float32]]:
    """What an exported network reads, by name."""
    points, features, mask = inputs[:3]
    fed = {"points": points.transpose(1, 2), "features": features.transpose(1, 2), "mask": mask.unsqueeze(1)}
    return {name: np.ascontiguousarray(tensor.float().cpu().numpy()) for name, tensor in fed.items()}
