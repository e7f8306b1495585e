"""The content of the task ``top`` is what it has been since schema 1: nodes, order, labels, weights, splits.

The digests are those of e2egraph at commit 64ca71d, of the same synthetic files.
"""

import hashlib

import pyarrow as pa
import pytest

from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import build
from e2egraph.graphs.storage.lists import list_table
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.task import load_task
from tests.graphs.builds import ntuple

# Column → SHA-256 of its values in data set order, little-endian, of all nodes for columns of nodes.
PLAIN = {
    "run": "3294cf050a37a19dedac98a4e0b09d70b545390264103cf8ea9ec4f08b9f8c56",
    "lumi": "d1ee49c1d187702b1449f5b0504db9c2706dce0050b5aa250e0a7c5a92c30af4",
    "event": "37108034e834974d0dedb2e05e3e4c3795df5141f0623907b8557f447e0280bc",
    "jet": "26353c3d0765f4da855db628d446b911bd275c31849219f20a2141c19a5dfd0d",
    "label": "3700f40195e6e7ec739021192eaf01b4a69f6d3a69253a047786830135c41208",
    "weight": "6985f56b46ceb6caffa34a05ca1e189b2eb9d890721b6d0452ca3e86609d76ac",
    "split": "03e4f33704e52391ede226983cfe61855315dbd165a06116cfe3dd541c96d2d4",
    "jet_pt": "3636453c916e92b9629210dce7637c83446afba479cb0601716c74be602bc4e1",
    "jet_eta": "b80fd33564fb4eca51fbf2ddb0628eccba973857988d8d1d88e1c401aeb09107",
    "jet_phi": "9d4a645cbb2435c5094302a58710f2184eaa35148176495787e07c1f4416cfe8",
    "jet_mass": "c8a1fa7e903771ae9343b69a4f698995acd192a6d6563111bc8da205a9b640bb",
    "softdrop_mass": "8ee74363dee3eac0447224c14ba568dc79b4be64b5358908d5d95e34e04fe15e",
    "tau21": "aba65a8b664d225341e653c68c3c1adbed0844734420a43da5d20ff8815f1202",
    "tau32": "343aef2694bbb0aa02b248a930fe9c1800ea20b7834014eb83cb8b510858fe6e",
    "seed_ieta": "fe11088a437f854acf221cdcd40c5d94283abaccd0b1948d81eb273cd305bee7",
    "seed_iphi": "1610ccd999a48abd637d0a691795fe62af65e66c15a21cdd14b62afd9b68eaa4",
    "n_pv": "2d0449c87e082764e75e342a8172428e3f046e0733ef2b6a57b5a5a7efa40165",
    "n_nodes": "60a8df3e9b0ba771605f29b17f29c5600ca3c4f1201ae4a7f89bb31d9b8a830f",
    "nodes_cut": "7de592043d3613deb65a36d48372038b1b0a910e79f60b360988df59a391e970",
    "deta": "d905ef46d8f3f03c80eacbac3dd53647649246ce92235f89a5f19050e076afc7",
    "dphi": "cad22cb2319cbbd4e11ba6931c62dd99850cde285ae9578e98d2f8e3cca59f49",
    "channel": "aa5486eb0e4afa7b99caefbbee037396c5d9fdc0f7ca6639ddb905ced3dc1dd0",
    "rho": "dc14888c8d782655336f4d5a6e5f61eb465d361fad837f4112e402c63475000e",
    "value": "eb116a2477a349d7644c3b70797c5e3b7b9000dda1803dbf368ef83531306405",
    "d0": "6cc5fa9d52ba9bd2cecb010a4127f5a847e1223b49670d9e760cc0b2f407048b",
    "dz": "81213236cb83f057e1484d7a568f7718c58c3442b0e854cdc8ecbed2df1427c1",
    "d0_sig": "ad10c7c1c9762a38b6ed6163b5aacf5b05f4b4e8b0150d203aa4b8162b68a914",
    "dz_sig": "e1d66371f30e7ecb69d96642c1a943a2444484cbc473a962ff37b1fe8deb644b",
    "charge": "0a5f040d50a64cc22b9fd369db19a2a46eb8432fe6c2e6869a74c4f8920aa0b6",
    "time": "dddcc1c67e527eb83f5405505795d335ffbf2cae8cda47a259a55e914a975cd3",
}

# With every kind of selection of nodes, static neighbours, and spectra that are reweighted instead of dropped from.
NARROW_SETTINGS = (
    "inputs.channels=[TRACK,BPIX1,TIB1,TOB2,ECAL,HCAL]",
    "inputs.cap=150",
    "inputs.thresholds={ECAL: 0.5, TRACK: 1.0}",
    "inputs.half_window=40",
    "inputs.radius=0.6",
    "inputs.neighbors=3",
    "resampling.method=reweight",
)
NARROW = {
    "run": "dfee25b41a270246f67ede174457ccad3991618738fdd723caee196fb357b74b",
    "lumi": "7e548dc79a08e62d9bb9ba2508f86bbc74714928f4bcb42461c9e00c400bcc34",
    "event": "e34efac965427aba2748759392f7ef6b24768bf65e6772e24fc6522592de8452",
    "jet": "0ac968dd44c695d119d1c30b4ac30989e86696ca89e49fe8496967e9d55ac699",
    "label": "295ab71a7f23e496f4b936a400a24b104c4423059a84cb0852c527136ea78bc9",
    "weight": "212a97f46520335ed05c201f550cfe63219e95b5a83e04840017b3d3999a6d2c",
    "split": "a89b4117b0fdb7eb34e48eb9932f73eb1fa7c28ef08b239aeb6f16b2f37777a1",
    "jet_pt": "a7204f2d4d97181426faad7a323e21c1971d5f3bdd62a285ea01c0b7ddab9ca2",
    "jet_eta": "fced67135f39d82b3620d1ea035d2997e45af53fe0f467a5fc0342d8cd9794eb",
    "jet_phi": "c1f010310da5cd59ad617eba5330fc9c11094697f2c1403e20a68f153b9e2c4a",
    "jet_mass": "e59b7e610b3df199d23229bc6361704ac032d6aded8742fd091a0abad2ca93f7",
    "softdrop_mass": "0e87b97b9716623a5c0feee454c33e9445daa7d627ba37defeccd00b31d899be",
    "tau21": "d6f6417d446745d07dca6e767872303012458fc9b34bf6fd7588d70b5aa16286",
    "tau32": "66ef865012522e512deb8c50b2d4e669f5f112266a85332661ebd2754056dbf6",
    "seed_ieta": "f7abcd64ef52786ca42c3b189ea91abd0f2cba58f215de58571c8989ecde66c3",
    "seed_iphi": "2a40ca02a83dc8b11a798d3e9b145a12a48e0163bcb6a201b362ac55fef4b304",
    "n_pv": "d2e506b72f06019b8bbbbc3b77f8ea5f3f9273430c27c83d0747ffc3540cfac4",
    "n_nodes": "7c3394f340c7ca3145e1d0b859056b215b247b09f5bcfd34bf406342b9adf1ce",
    "nodes_cut": "3d942d4d1f230ebd62263848d03c3d88e982db22dcb3e5b14c501ca7b93f83af",
    "deta": "d645706d96d1d87e33b8fc2269228f9de0e66541fd54db2511393d3b254d731e",
    "dphi": "198a9c94e47f5ae67364a85c9dad62103032f9af821be1913d652d62727502b4",
    "channel": "077087058754081d0372fb96f37f31df97d87d24aff597ceb3db9b38e3e3d5a1",
    "rho": "3f49cfe714552113ae9447a5a00bcf0f965b79063b8426eccab23147346f9127",
    "value": "78e4dbc6db3b873a9e11bbc74e912080c5f75b37cf4ec1dc6a7c543d23b887f3",
    "d0": "a744be7d9ec7c8564a7f473f34d3b529ff77784adad84cd2ba22384ef9ac678d",
    "dz": "087cc69fbbcfc8dbbddd4075baa61e0b8abe43c27ff0319ecf3bbd6483cdafe9",
    "d0_sig": "cb2c5809dd40d01b95334fba8212c2ac3c430801b31981a20cf6764677b2caf0",
    "dz_sig": "686564f67bd8db02b43b14a377b3438d6c52d5c703cfda3a06a5114061c2081d",
    "charge": "1918a971c6139f3a233bf9d26e17d78ba248ee7a5c1127e22fe0905883e0a63a",
    "time": "be6e89a62c867f5e88cedbb4702e9905748dcbb85b866cbef3b2a4e96c9058ff",
    "neighbors": "28d2ce0118600ed86087484bd87d4e09b4f643f917d855aa70e589cbf23a02e2",
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    qcd, top = (ntuple(folder / f"{n}.root", seed, size) for n, seed, size in (("qcd", 11, 120), ("top", 12, 90)))
    return [
        Sample("qcd", "qcd", (qcd,), cross_section=5000.0, generated=700, luminosity=0.3),
        Sample("top", "top", (top,), cross_section=250.0, luminosity=0.3),
    ]


def digests(folder, manifest):
    """Column → SHA-256 of its values."""
    tables = [list_table(open_shard(folder / shard.name).read()) for shard in manifest.shards]
    found = {}
    for name, column in zip(tables[0].column_names, pa.concat_tables(tables).columns, strict=True):
        values = column.combine_chunks()
        while not pa.types.is_primitive(values.type) and not pa.types.is_string(values.type):
            values = values.flatten()
        text = pa.types.is_string(values.type)
        content = "\n".join(values.to_pylist()).encode() if text else values.to_numpy(zero_copy_only=False).tobytes()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


@pytest.mark.parametrize(("settings", "recorded"), [((), PLAIN), (NARROW_SETTINGS, NARROW)], ids=["plain", "narrow"])
def test_every_column_holds_what_it_held_before(samples, tmp_path, settings, recorded):
    summary = build(load_task("top", settings), samples, tmp_path / "data")
    found = digests(summary.output, summary.manifest)
    assert [name for name in recorded if found.get(name) != recorded[name]] == []
    assert list(found) == list(recorded)
