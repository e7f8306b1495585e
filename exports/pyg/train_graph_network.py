"""Train any PyTorch Geometric network on an e2egraph data set, with nothing of e2egraph but its data set.

    python exports/pyg/train_graph_network.py data/top --epochs 2

Jets come as ``torch_geometric.data.Data``: ``pos`` (Δη, Δφ), ``x`` (raw physical variables and the one-hot channel),
``y`` (label), ``weight``. The network here is PyG's own GraphSAGE; put any other in its place.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import KDTree
from sklearn.metrics import roc_auc_score
from torch import nn
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MLP, GraphSAGE, global_max_pool, global_mean_pool
from torch_geometric.transforms import BaseTransform

from e2egraph.data.dataset import EpochBatches, JetDataset
from e2egraph.tasks.nodeselection import NodeSelection


class Prepare(BaseTransform):
    """Edges from each node's nearest neighbours in (Δη, Δφ), and asinh of every feature: energies over five decades and
    signed impact parameters become of order one."""

    def __init__(self, neighbours: int = 8) -> None:
        self.neighbours = neighbours

    def forward(self, data):
        data.x = torch.asinh(torch.cat([data.pos, data.x], dim=1))
        size = data.num_nodes
        k = min(self.neighbours, size)
        # PyG's own KNNGraph does the same where torch-cluster is installed.
        near = KDTree(data.pos.numpy()).query(data.pos.numpy(), k=np.arange(1, k + 1))[1] if size else np.empty((0, k))
        target = np.repeat(np.arange(size), k)
        data.edge_index = torch.from_numpy(np.stack([near.reshape(-1).astype(np.int64), target]))
        return data


class GraphNetwork(nn.Module):
    """PyG's GraphSAGE on the kNN graph, mean and maximum over the nodes, one score a class."""

    def __init__(self, features: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.nodes = GraphSAGE(features, width, num_layers=2, out_channels=width, aggr="max")
        self.head = MLP([2 * width, width, classes], norm=None)

    def forward(self, batch):
        nodes = self.nodes(batch.x, batch.edge_index)
        pooled = [pool(nodes, batch.batch, size=batch.num_graphs) for pool in (global_mean_pool, global_max_pool)]
        return self.head(torch.cat(pooled, dim=1))


def train(folder: Path, epochs: int = 1, batch_size: int = 64, cap: int | None = None) -> float:
    """Train on a data set's training jets, up to ``cap`` nodes of each; returns the test jets' ROC AUC (class 1 as
    signal)."""
    torch.manual_seed(1)
    nodes = NodeSelection(cap=cap)
    jets = JetDataset(folder, "train", nodes=nodes)
    jets.transform = Prepare()
    # A shuffled epoch that reads every row group once. DataLoader(jets, batch_size=64, shuffle=True) works as well.
    order = EpochBatches(jets, batch_size)
    model = GraphNetwork(jets[0].num_features, len(jets.table.manifest.classes))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(epochs):
        order.set_epoch(epoch)
        for batch in DataLoader(jets, batch_sampler=order):
            loss = nn.functional.cross_entropy(model(batch), batch.y, reduction="none")
            optimiser.zero_grad()
            (loss * batch.weight).mean().backward()
            optimiser.step()

    model.eval()
    test = JetDataset(folder, "test", nodes=nodes)
    test.transform = Prepare()
    scores, labels = [], []
    with torch.inference_mode():
        for batch in DataLoader(test, batch_size=batch_size):
            scores.append(model(batch).softmax(dim=1)[:, 1])
            labels.append(batch.y)
    return float(roc_auc_score(torch.cat(labels), torch.cat(scores)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set folder")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--cap", type=int, help="nodes a jet at most")
    given = parser.parse_args()
    print(f"test AUC {train(given.data, given.epochs, cap=given.cap):.4f}")
