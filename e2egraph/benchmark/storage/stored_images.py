"""ResNet-15 trained from points, which it draws itself, against the same network fed with images of a Parquet file."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.scaling.steps import optimizer_of, time_steps
from e2egraph.benchmark.storage import dense_parquet
from e2egraph.data.loading.loader import JetLoader
from e2egraph.data.loading.prefetch import Prefetch
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.models.image.resnet import ResNet15, ResNet15Options
from e2egraph.training.objectives.learning import make_learning

# Batches read ahead by a thread, as many as the loader of points makes.
AHEAD = 4


class _Given(nn.Module):
    """In place of ``Rasterize``: hands on the images that were read."""

    images: Tensor

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        return self.images


def compare_training(
    loader: JetLoader, images: dense_parquet.ImageFile, manifest: Manifest, batch_size: int, repeats: int
) -> list[Record]:
    """Training jets/s both ways alternately, medians; ``images`` holds jets of the same split, drawn at random,
    as ``dense_parquet`` writes.

    Both read ahead in a thread, both read warm files, both train all parameters; the first batch is not timed.
    """
    jets = images.jets
    steps = jets // batch_size - 1
    learning = make_learning(manifest.objective)
    from_points, from_images = [], []
    for _ in range(repeats):
        torch.manual_seed(1)
        drawing = _network(manifest)
        from_points.append(time_steps(drawing, optimizer_of(drawing), loader, learning, steps).jets_per_second)
        from_images.append(_train_on_images(images, manifest, batch_size))
    points, stored = float(np.median(from_points)), float(np.median(from_images))
    note = f"{steps} steps of {batch_size} jets, {torch.get_num_threads()} threads"
    return [
        Record("resnet15 from points", jets, "train_jets_per_second", points, "1/s", note),
        Record("resnet15 from stored images", jets, "train_jets_per_second", stored, "1/s", f"{note}; zero-copy"),
        Record("resnet15 from points", jets, "train_rate_over_stored_images", points / stored, ""),
    ]


def _network(manifest: Manifest) -> ResNet15:
    return ResNet15(ResNet15Options(), manifest.network_inputs, manifest.objective.outputs)


def _train_on_images(images: dense_parquet.ImageFile, manifest: Manifest, batch_size: int) -> float:
    """Jets per second after the first batch."""
    torch.manual_seed(1)
    network = _network(manifest).train()
    given = _Given()
    network.rasterize = given  # type: ignore[assignment]
    optimizer, nothing, start, trained = optimizer_of(network), torch.zeros(0), 0.0, 0

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, label in dense_parquet.read_zero_copy(images, batch_size):
            # A copy into memory that torch may write to, channels first as the network has them.
            yield torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2), torch.from_numpy(label.astype(np.int64))

    for number, (pixels, label) in enumerate(Prefetch(batches, AHEAD)):
        given.images = pixels
        loss = F.cross_entropy(network(nothing, nothing, nothing, nothing), label.view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number == 0:
            start = time.perf_counter()
        else:
            trained += len(label)
    return trained / (time.perf_counter() - start)
