import numpy as np
import pytest
import torch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import SAGEConv, global_mean_pool

from e2egraph.data.dataset import EpochBatches, JetDataset, dense
from e2egraph.data.loading.loader import evaluation_loader, training_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.share import Share
from e2egraph.errors import UsageError
from e2egraph.tasks.nodeselection import NodeSelection
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 200, nodes=(0, 25), shards_per_class=3)


def test_pyg_batches_made_dense_equal_the_loaders_batches(folder):
    dataset = JetDataset(folder, "test")
    for expected in evaluation_loader(dataset.table, DataOptions(evaluation_batch_size=7), "test"):
        rows = np.searchsorted(dataset.numbers, expected.number.numpy())
        (batch,) = DataLoader(dataset[rows.tolist()], batch_size=len(rows))
        actual = dense(batch)
        for name in vars(expected):
            torch.testing.assert_close(getattr(actual, name), getattr(expected, name), rtol=0, atol=0)


@pytest.mark.parametrize("batch_nodes", [None, 90])
def test_epoch_batches_are_the_trainings_batches(folder, batch_nodes):
    dataset = JetDataset(folder, "train")
    options = DataOptions(pool_jets=50, bucket_batches=2, batch_nodes=batch_nodes)
    sampler = EpochBatches(dataset, 16, seed=4, options=options)
    sampler.set_epoch(3)
    loader = DataLoader(dataset, batch_sampler=sampler)
    ours = training_loader(dataset.table, options, 16, seed=4, epoch=3)
    assert len(loader) == len(ours)
    assert [batch.number.tolist() for batch in loader] == [batch.number.tolist() for batch in ours]


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (DataOptions(training_jets=20), r"training_jets=20: .* such as data\[:1000\]"),
        (DataOptions(nodes=NodeSelection(cap=3)), r"at most 3 per object .* give Dataset those nodes"),
    ],
)
def test_epoch_batches_refuse_options_that_they_would_ignore(folder, options, remedy):
    with pytest.raises(UsageError, match=remedy):
        EpochBatches(JetDataset(folder, "train"), 8, options=options)
    capped = NodeSelection(cap=3)
    assert len(EpochBatches(JetDataset(folder, "train", nodes=capped), 8, options=DataOptions(nodes=capped))) > 1


def test_what_a_transform_does_in_place_is_not_done_again_in_the_next_epoch(folder):
    dataset, plain = (JetDataset(folder, "train") for _ in range(2))

    def scaled(data):
        for values in (data.x, data.pos, data.jet, data.target, data.weight):
            values.mul_(2.0)
        return data

    dataset.transform = scaled
    for _ in range(3):
        for index in range(5):
            torch.testing.assert_close(dataset[index].x, 2.0 * plain[index].x)
            torch.testing.assert_close(dataset[index].weight, 2.0 * plain[index].weight)


def test_a_jet_that_is_kept_does_not_keep_its_whole_row_group(folder):
    jet = JetDataset(folder, "train")[0]
    for name in ("x", "pos", "jet", "target"):
        assert jet[name].untyped_storage().nbytes() == 4 * jet[name].numel()


def parts(dataset):
    every = np.random.default_rng(2).permutation(len(dataset))
    return {
        "first": dataset[:40],
        "in another order": dataset.shuffle(),
        "some": dataset[torch.from_numpy(every[:33])],
        "of a part": dataset[10:90][np.arange(5, 50)],
    }


@pytest.mark.parametrize("which", ["first", "in another order", "some", "of a part"])
def test_a_part_of_a_data_set_is_batched_alone_each_jet_once(folder, which):
    part = parts(JetDataset(folder, "train"))[which]
    wanted = sorted(int(part[i].number) for i in range(len(part)))
    sampler = EpochBatches(part, 8, options=DataOptions(pool_jets=50, bucket_batches=2))
    seen = [batch.number.tolist() for batch in DataLoader(part, batch_sampler=sampler)]
    assert len(seen) == len(sampler) == -(-len(part) // 8)
    assert sorted(number for batch in seen for number in batch) == wanted
    assert [len(batch) for batch in seen[:-1]] == [8] * (len(seen) - 1)
    halves = [EpochBatches(part, 6, share=Share(rank, 2)) for rank in (0, 1)]
    assert sorted(index for half in halves for batch in half for index in batch) == list(range(len(part)))


@pytest.mark.parametrize("processes", [1, 2])
def test_with_worker_processes_an_epoch_still_holds_every_jet_once(folder, processes):
    dataset = JetDataset(folder, "train", cached_jets=60)
    options, seen = DataOptions(pool_jets=50, bucket_batches=2), []
    for rank in range(processes):
        sampler = EpochBatches(dataset, 15, seed=4, options=options, share=Share(rank, processes))
        loader = DataLoader(dataset, batch_sampler=sampler, num_workers=2)
        batches = [batch.number.tolist() for batch in loader]
        assert len(batches) == len(loader)
        assert batches == [batch.number.tolist() for batch in DataLoader(dataset, batch_sampler=sampler)]
        seen += [number for batch in batches for number in batch]
    assert sorted(seen) == dataset.numbers.tolist()


def test_a_shuffled_epoch_reads_each_row_group_once(folder, monkeypatch):
    dataset = JetDataset(folder, "train", cached_jets=120)
    read = []
    original = type(dataset.table).read_group
    monkeypatch.setattr(
        type(dataset.table),
        "read_group",
        lambda self, group, columns, split=None: read.append(group) or original(self, group, columns, split),
    )
    for _ in DataLoader(dataset, batch_sampler=EpochBatches(dataset, 8, options=DataOptions(pool_jets=40))):
        pass
    assert sorted(read) == list(range(6))


def test_a_pyg_users_own_network_learns_from_the_data_set(folder):
    torch.manual_seed(0)
    dataset = JetDataset(folder, "train", nodes=NodeSelection(cap=20))

    class Sage(torch.nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.convolution = SAGEConv(inputs.n_features + 2, 16)
            self.head = torch.nn.Linear(16, 2)

        def forward(self, data):
            inputs = torch.asinh(torch.cat([data.x, 10 * data.pos], dim=1))
            hidden = self.convolution(inputs, data.edge_index).relu()
            return self.head(global_mean_pool(hidden, data.batch, size=data.num_graphs))

    def with_edges(data):
        # torch_geometric's own knn_graph needs an extension; cdist does for 20 nodes.
        near = torch.cdist(data.pos, data.pos).topk(min(4, data.num_nodes), largest=False).indices
        source = torch.arange(data.num_nodes).repeat_interleave(near.shape[1])
        data.edge_index = torch.stack([near.flatten(), source])
        return data

    dataset.transform = with_edges
    network = Sage(dataset.inputs)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(8):
        total = 0.0
        for batch in DataLoader(dataset, batch_size=32, shuffle=True):
            loss = torch.nn.functional.cross_entropy(network(batch), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total)
    assert losses[-1] < 0.7 * losses[0]
