#!/usr/bin/env python
"""Whether ``torch.compile`` gives what the networks give: scores and gradients of every shipped one, in float64.

    python scripts/check_compiled.py [--model NAME …] [--backend inductor] [--device cpu]

In float64 rounding cannot hide an error, nor pass for one: compiled and plain networks agree to 1e-9 or differ. In
float32 they agree to rounding at first, and training enlarges that as it enlarges any other (another order of nodes).
Needs a C++ compiler and about a minute a network. Exit code 1 when one differs.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.benchmark.kernels.kernel_case import INPUTS as OF_JETS
from e2egraph.benchmark.kernels.kernel_case import OUTPUTS
from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.export.made_jets import made_jets
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.variables import variables

# Energies across and along the beams too, which networks for masses read.
_MORE = tuple(variables()[name].variable for name in ("energy_t", "energy_z"))
INPUTS = replace(OF_JETS, variables=(*OF_JETS.variables, *_MORE))
AGREE = 1e-9
SIZES = ((6, 90), (4, 131), (3, 40))


def batch(jets: int, nodes: int, device: str) -> list[Tensor]:
    made = made_jets("random", jets, nodes, np.random.default_rng(nodes), INPUTS)
    arrays = (made.points, made.features, made.mask, made.jet)
    tensors = [torch.from_numpy(np.asarray(array)).to(device) for array in arrays]
    return [tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors]


def outcome(network: nn.Module, called: nn.Module, inputs: list[Tensor], train: bool) -> list[Tensor]:
    """Scores, and in training the gradients and what the network then remembers; the network is left as it was."""
    state = copy.deepcopy(network.state_dict())
    network.train(train)
    torch.manual_seed(3)
    with torch.set_grad_enabled(train):
        scores = called(*inputs)
    found = [scores.detach()]
    if train:
        torch.nn.functional.cross_entropy(scores, torch.arange(len(scores), device=scores.device) % 2).backward()
        found += [p.grad.clone() for p in network.parameters() if p.grad is not None]
        found += [buffer.clone().double() for buffer in network.buffers()]
    network.zero_grad(set_to_none=True)
    network.load_state_dict(state)
    return found


def largest_difference(name: str, backend: str, device: str) -> dict[str, float]:
    """Over the largest number of its kind, in evaluation and in training."""
    torch.compiler.reset()
    torch.manual_seed(1)
    network = build_model(load_model_config(name, ("options.dropout=0.0",) if _drops(name) else ()), INPUTS, OUTPUTS)
    network = network.double().to(device)
    compiled = torch.compile(network, dynamic=True, backend=backend)
    worst = {"evaluation": 0.0, "training": 0.0}
    for mode in worst:
        for jets, nodes in SIZES:
            inputs = batch(jets, nodes, device)
            plain = outcome(network, network, inputs, mode == "training")
            fast = outcome(network, compiled, inputs, mode == "training")
            scale = max(1.0, *(float(tensor.abs().max()) for tensor in plain if tensor.numel()))
            pairs = zip(plain, fast, strict=True)
            apart = [float((a - b).abs().max()) / scale for a, b in pairs if a.numel()]
            worst[mode] = max(worst[mode], *(value if math.isfinite(value) else math.inf for value in apart))
    return worst


def _drops(name: str) -> bool:
    return "dropout" in load_model_config(name).options


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="By name or YAML file.  [default: all shipped]")
    parser.add_argument("--backend", default="inductor")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    wrong = 0
    for name in options.model or config_names("models"):
        start = time.perf_counter()
        try:
            worst = largest_difference(name, options.backend, options.device)
            verdict = "same" if max(worst.values()) < AGREE else "DIFFERS"
            figures = ", ".join(f"{mode} {value:.1e}" for mode, value in worst.items())
        except UsageError as error:
            verdict, figures = "not measured", str(error)
        except Exception as error:
            verdict, figures = "FAILS", f"{type(error).__name__}: {str(error).splitlines()[0]}"
        wrong += verdict.isupper()
        print(f"{name}: {verdict} ({figures}; {time.perf_counter() - start:.0f} s)", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
