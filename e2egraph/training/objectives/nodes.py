"""Learning particle flow: which nodes are particles, of which class, with what momentum and pile-up share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError, UsageError
from e2egraph.models.elements import (
    LEAST_MOMENTUM,
    Elements,
    Momenta,
    log_energy_excess,
    particle_momenta,
    wrapped,
)
from e2egraph.models.layers.geometry.cone_sums import sums_around
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objectives.nodes import CLASS, MOMENTUM, PARTICLE, PILEUP, Nodes
from e2egraph.training.objectives.learning import Floats, Integers, Learning
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.which_object import in_words

# Half of the central 68.27% of a distribution is its width, one standard deviation of a Gaussian one.
CENTRAL = (15.865, 84.135)

# Least 1 − p in the focal loss.
LEAST_DISTANCE = 1e-12


class NodesLearning(Learning[Nodes]):
    """The loss of an event is a mean over its nodes (or true particles), and that of a batch the mean over events."""

    balances_classes = False

    def __init__(self, objective: Nodes, options: TrainingOptions) -> None:
        super().__init__(objective, options)
        o = objective
        weights = {
            "particle": o.particle_weight,
            "class": o.class_weight,
            "momentum": o.momentum_weight,
            "direction": o.direction_weight,
            "pileup": o.pileup_weight,
        }
        more = {"balance": o.balance_weight, "local": o.local_weight}
        weights |= {name: weight for name, weight in more.items() if weight}
        self.parts, self._weights = tuple(weights), torch.tensor(list(weights.values()))
        self._slices = o.outputs.slices
        self._elements: Elements | None = None
        self._half_eta = 0.0

    @property
    def record_size(self) -> int:
        return len(self.parts) + 6

    @property
    def without_effect(self) -> Mapping[str, str]:
        return {} if self.objective.local_weight else {"objective.local_width": "objective.local_weight above 0"}

    def reads(self, inputs: Inputs) -> None:
        """UsageError unless elements have momenta (``models.elements``), and lie in whole events where sums of momenta
        around them are learnt."""
        self._elements, self._half_eta = Elements(inputs), inputs.region.half_eta
        if self.objective.local_weight and not inputs.region.periodic:
            raise UsageError(
                f"objective.local_weight adds up momenta over whole events, but nodes lie in "
                f"{inputs.region.describe()}; set it to 0."
            )

    def check(self, table: JetTable, numbers: Integers, split: str) -> None:
        """Classes of nodes that the objective has, finite targets, and at least one particle in the split."""
        names, particles = self.objective.node_targets, 0
        for group in np.unique(table.group_of(numbers)).tolist():
            clouds = table.read_group(group, list(names), split)
            own = np.arange(*table.group_first[group : group + 2])
            own = own[table.columns["split"][own] == split]
            label = clouds.nodes[names[0]]
            particles += int(np.count_nonzero(label))
            wrong = [(name, ~np.isfinite(clouds.nodes[name])) for name in names[1:]]
            wrong.append((names[0], label >= len(self.objective.classes)))
            for name, bad in wrong:
                if bad.any():
                    node = int(np.flatnonzero(bad)[0])
                    event = in_words(table, int(own[clouds.jet_of_node[node]]))
                    raise InputError(
                        f"{table.folder}: {name} of {int(bad.sum())} nodes of split '{split}' is no class of the "
                        f"objective, or not finite, first in {event} ({clouds.nodes[name][node]}); build the data set "
                        "again."
                    )
        if particles == 0:
            raise InputError(
                f"{table.folder}: no node of split '{split}' stands for a particle; build it from more events, or "
                "change the split."
            )

    def loss(self, output: Tensor, batch: JetBatch) -> tuple[Tensor, Tensor]:
        self._weights = self._weights.to(output.device)
        loss = (self._weights @ self._losses(output, batch)).unsqueeze(0)
        return loss, loss

    def record(self, output: Tensor, batch: JetBatch) -> Tensor:
        """Of each event the parts of the loss, nodes and those classified correctly, and Σ pT, Σ px, Σ py [GeV] that
        are found (with true ones subtracted from px and py) and Σ pT that is true."""
        output = output.detach()
        target = self._target(batch)
        logits = output[..., self._slices[PARTICLE]]
        found, true = (logits[..., 1] > logits[..., 0]) & batch.mask, target[..., 0] > 0
        momenta = self._momenta(output, batch)
        sums = _sums(momenta.pt, momenta.phi, found.float())
        expected = _sums(target[..., 1], target[..., 3], true.float())
        right = ((found == true) & batch.mask).sum(dim=1)
        rows = [right, batch.counts, sums[0], expected[0], *(sums[1:] - expected[1:])]
        return torch.cat([self._losses(output, batch), torch.stack([row.float() for row in rows])])

    def figures(self, records: Floats, weight: Floats) -> dict[str, float]:
        """``loss_PART``: the parts of the loss, without their weights; ``particle_accuracy``: share of nodes told
        right to be a particle or none; ``sum_pt_ratio``: Σ pT of what is found over that of true particles;
        ``sum_momentum_resolution`` [GeV]: half the central 68% of the x and y components of Σ p⃗ found minus true."""
        own, parts = weight[0], len(self.parts)
        right, nodes, found, true = (records[parts : parts + 4] * own).sum(axis=1)
        spread = records[parts + 4 :, own > 0]
        defined = spread.size > 0 and bool(np.isfinite(spread).all())
        low, high = np.percentile(spread, CENTRAL) if defined else (float("nan"), float("nan"))
        means = (records[:parts] * own).sum(axis=1) / own.sum() if own.sum() > 0 else np.full(parts, np.nan)
        return {
            **{f"loss_{name}": float(mean) for name, mean in zip(self.parts, means, strict=True)},
            "particle_accuracy": float(right / nodes) if nodes > 0 else float("nan"),
            "sum_pt_ratio": float(found / true) if true > 0 else float("nan"),
            "sum_momentum_resolution": float(0.5 * (high - low)),
        }

    def _target(self, batch: JetBatch) -> Tensor:
        if batch.node_target is None:
            raise ValueError("the batch holds no targets of nodes")
        return batch.node_target

    def _momenta(self, output: Tensor, batch: JetBatch) -> Momenta:
        return particle_momenta(output[..., self._slices[MOMENTUM]], self._of_elements(batch))

    def _of_elements(self, batch: JetBatch) -> Momenta:
        if self._elements is None:
            raise ValueError("reads(inputs) was not called")
        return self._elements.momenta(batch.points, batch.features)

    def _losses(self, output: Tensor, batch: JetBatch) -> Tensor:
        """The parts of the loss of each event, without their weights, [parts, B]; 0 of an event without nodes."""
        label, pt, eta, phi, energy, pileup = self._target(batch).unbind(-1)
        label, mask = label.long(), batch.mask
        particle = (label > 0) & mask
        elements = self._of_elements(batch)
        of_momentum, slices = output[..., self._slices[MOMENTUM]], self._slices
        ratio = torch.log(pt.clamp(min=LEAST_MOMENTUM) / elements.pt.clamp(min=LEAST_MOMENTUM))
        excess = torch.log(energy.clamp(min=LEAST_MOMENTUM) / (pt.clamp(min=LEAST_MOMENTUM) * torch.cosh(eta)))
        beta = self.objective.transition
        of_pt = F.smooth_l1_loss(of_momentum[..., 0], ratio, reduction="none", beta=beta)
        # Of the energy at the true momentum: an error of pT need not be corrected by a mass.
        of_energy = F.smooth_l1_loss(
            log_energy_excess(of_momentum[..., 3]), excess.clamp(min=0.0), reduction="none", beta=beta
        )
        hard = torch.where(particle, pt.clamp(min=0.0).sqrt(), 0.0)
        hard = hard / _mean(hard, particle).clamp(min=LEAST_MOMENTUM).unsqueeze(1)
        scale = next(head.scale for head in self.objective.outputs.heads if head.name == MOMENTUM)
        differences = (eta - elements.eta, wrapped(phi - elements.phi))
        of_direction = torch.zeros_like(pt)
        for axis, (difference, unit) in enumerate(zip(differences, scale[1:3], strict=True)):
            found = of_momentum[..., 1 + axis]
            of_direction = of_direction + F.smooth_l1_loss(found / unit, difference / unit, reduction="none")
        losses = [
            _mean(_cross_entropy(output[..., slices[PARTICLE]], particle.long()), mask),
            _mean(focal_loss(output[..., slices[CLASS]], label, self.objective.focusing), particle),
            _mean(hard * (of_pt + of_energy), particle),
            _mean(hard * of_direction, particle),
            _mean(_binary(output[..., slices[PILEUP]].squeeze(-1), pileup.clamp(0.0, 1.0)), particle),
        ]
        if len(self.parts) > len(losses):
            momenta = particle_momenta(of_momentum, elements)
            probability = torch.where(mask, output[..., slices[PARTICLE]].softmax(dim=-1)[..., 1], 0.0)
        if "balance" in self.parts:
            sums, true = _sums(momenta.pt, momenta.phi, probability), _sums(pt, phi, particle.float())
            distance = ((sums[1:] - true[1:]).square().sum(0) + LEAST_MOMENTUM**2).sqrt()
            losses.append(distance / true[0].clamp(min=1.0))
        if "local" in self.parts:
            hard_share = probability * torch.sigmoid(-output[..., slices[PILEUP]].squeeze(-1))
            found = torch.where(mask, momenta.pt * hard_share, 0.0)
            true_pt = torch.where(particle, pt * (1.0 - pileup.clamp(0.0, 1.0)), 0.0).clamp(min=0.0)
            losses.append(self._local(batch.points, found, true_pt, mask))
        return torch.stack(losses)

    def _local(self, points: Tensor, found: Tensor, true: Tensor, mask: Tensor) -> Tensor:
        """Mean over nodes by true pT of smooth L1 of (Σ found − Σ true) / √(Σ true · 1 GeV) around each, [B].

        ``found``, ``true`` [B, N]: pT [GeV] of each node's particle.
        """
        eta, phi = torch.where(mask.unsqueeze(-1), points, 0.0).unbind(-1)
        deposits = torch.stack([found, true], dim=-1)
        sums = sums_around(eta, phi, deposits, self.objective.local_width, self._half_eta)
        around = sums[..., 1].detach()
        difference = (sums[..., 0] - around) / around.clamp(min=1.0).sqrt()
        loss = F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none")
        weight = torch.where(mask, true, 0.0)
        return (weight * loss).sum(1) / weight.sum(1).clamp(min=1.0)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of ``values`` [B, N] over the nodes ``counted`` of each event, [B]; 0 where there is none."""
    return torch.where(counted, values, 0.0).sum(dim=1) / counted.sum(dim=1).clamp(min=1)


def _sums(pt: Tensor, phi: Tensor, weight: Tensor) -> Tensor:
    """Σ pT, Σ px and Σ py [GeV] of the nodes of each event by ``weight``, [3, B]; all [B, N]."""
    pt = torch.where(weight > 0, pt * weight, 0.0)
    return torch.stack([pt.sum(1), (pt * torch.cos(phi)).sum(1), (pt * torch.sin(phi)).sum(1)])


def _cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """−log softmax(``logits`` [B, N, C]) of ``label`` [B, N]."""
    return F.cross_entropy(logits.flatten(0, 1), label.flatten(), reduction="none").view(label.shape)


def focal_loss(logits: Tensor, label: Tensor, focusing: float) -> Tensor:
    """(1 − p)^γ (−log p) with p the probability of ``label`` [B, N] (T.-Y. Lin et al., arXiv:1708.02002, eq. 4)."""
    loss = _cross_entropy(logits, label)
    # Away from 0, where a power below 1 has no gradient and would make NaN of all, also of nodes that do not count.
    return loss if focusing == 0 else (-torch.expm1(-loss)).clamp(min=LEAST_DISTANCE).pow(focusing) * loss


def _binary(logit: Tensor, share: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logit, share, reduction="none")
