"""The benchmarks measure what they say: sizes and rates of the same jets, in the format that others read."""

import json
import os
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from e2egraph.benchmark.report import Record, write_report
from e2egraph.benchmark.scaling import cores
from e2egraph.benchmark.scaling.cores import one_core
from e2egraph.benchmark.storage import dense_parquet, io, peers
from e2egraph.benchmark.versions import run_version
from e2egraph.cli import main
from e2egraph.data.loading.loader import random_jets
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from tests.graphs.builds import SETTINGS, ntuple, parton_ntuple
from tests.toy_dataset import toy_clouds, toy_task, write_toy_dataset


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(1)
    drawn = (rng.random((6, 8, 125, 125)) * (rng.random((6, 8, 125, 125)) < 0.06)).astype(np.float32)
    return drawn, tmp_path / "images.parquet"


def written(images, settings=dense_parquet.FIELD):
    drawn, path = images
    writer = dense_parquet.ImageWriter(path, settings)
    writer.write(drawn, np.arange(6), np.full(6, 80.0), np.full(6, 450.0))
    writer.close()
    return path


def test_the_image_file_is_as_the_field_writes_it(images):
    """125000 values a jet, channel-last, one jet a row group, snappy (the layout of the boosted-top files)."""
    file = pq.ParquetFile(written(images))
    assert file.num_row_groups == 6
    assert file.metadata.row_group(0).num_rows == 1
    column = file.metadata.row_group(0).column(0)
    assert column.compression == "SNAPPY"
    assert "RLE_DICTIONARY" in column.encodings
    row = file.read_row_group(3).to_pydict()
    assert np.float32(row["X_jets"][0]).reshape(125, 125, 8)[7, 11, 5] == images[0][3, 5, 7, 11]
    assert (row["y"], row["m0"], row["pt"]) == ([3.0], [80.0], [450.0])


@pytest.mark.parametrize("read", [dense_parquet.read_as_the_field, dense_parquet.read_zero_copy])
def test_both_readings_give_the_images_back(images, read):
    path = written(images)
    batches = list(read(dense_parquet.ImageFile(path, 6, (125, 125, 8)), 2))
    assert [len(batch) for batch, _ in batches] == [2, 2, 2]
    np.testing.assert_array_equal(np.concatenate([batch for batch, _ in batches]), images[0].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]).ravel(), np.arange(6))


@pytest.mark.parametrize("settings", dense_parquet.CANDIDATES, ids=lambda settings: settings.name)
def test_images_written_with_other_settings_are_the_same(images, settings):
    file = dense_parquet.ImageFile(written(images, settings), 6, (125, 125, 8), settings.jets)
    ((batch, labels),) = dense_parquet.read_zero_copy(file, 64)
    np.testing.assert_array_equal(batch, images[0].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(labels.ravel(), np.arange(6))


def test_peers_hold_the_same_jets(tmp_path):
    clouds, inputs = toy_clouds(1, 70, np.random.default_rng(1), nodes=(0, 40)), toy_task().network_inputs
    lists = peers.list_parquet(clouds, inputs, tmp_path, 16)
    assert lists.read() == 70
    assert (
        pq.read_table(lists.path)["value"].combine_chunks().values.to_numpy().tobytes()
        == clouds.nodes["value"].tobytes()
    )
    for kind in ("lzf", None):
        padded = peers.padded_hdf5(clouds, inputs, tmp_path, 16, kind)
        assert padded.read() == 70
        with h5py.File(padded.path) as file:
            column = file["nodes"][..., 2 + inputs.variable_names.index("value")]
        assert column[column > 0].tobytes() == clouds.nodes["value"].tobytes()


def test_one_core_is_given_back():
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_a_thread_that_ends_meanwhile_is_no_error(monkeypatch):
    ended = subprocess.Popen(["true"])
    ended.wait()
    living = cores._threads()
    monkeypatch.setattr(cores, "_threads", lambda: [ended.pid, *living])
    with one_core():
        assert all(len(os.sched_getaffinity(thread)) == 1 for thread in living if Path(f"/proc/{thread}").exists())


def test_a_report_is_json_and_the_same_as_a_table(tmp_path):
    records = [Record("window", 4096, "train_seconds", 1.25, "s"), Record("window", 2, "ratio", 12345.6, "", "a note")]
    paths = write_report(tmp_path / "new" / "out.json", "e2egraph benchmark …", records)
    assert [path.name for path in paths] == ["out.json", "out.md"]
    report = json.loads(paths[0].read_text())
    assert report["command"] == "e2egraph benchmark …"
    first = {"case": "window", "n": 4096, "metric": "train_seconds", "value": 1.25, "unit": "s", "note": ""}
    assert report["records"][0] == first
    assert {"processor", "cores", "python", "libraries"} <= report["machine"].keys()
    assert "| window | 4096 | train_seconds | 1.25 | s |  |" in paths[1].read_text()


def figures(path):
    return {(r["case"], r["metric"]): r["value"] for r in json.loads(path.read_text())["records"]}


def test_benchmark_io_compares_the_same_jets_both_ways(tmp_path, capsys):
    data = write_toy_dataset(tmp_path / "toy", 480, nodes=(100, 300))
    words = ["--data", str(data), "--output", str(tmp_path / "io.json"), "--jets", "128", "--steps", "1"]
    assert main(["benchmark", "io", *words, "--repeats", "1", "--model", "resnet15"]) == 0
    said = capsys.readouterr()
    assert "next: " in said.out.splitlines()[-1]
    assert ("weaver-core is not installed" in said.err) == (find_spec("weaver") is None)
    found = figures(tmp_path / "io.json")
    ratio = found["image Parquet", "bytes_per_jet_uncompressed"] / found["shards", "bytes_per_jet"]
    assert found["shards", "uncompressed_image_bytes_over_shard_bytes"] == pytest.approx(ratio)
    rate = found["shards", "jets_per_second"]
    assert found["shards", "rate_over_to_pydict"] == pytest.approx(
        rate / found["image Parquet, to_pydict", "jets_per_second"]
    )
    assert found["shards", "rate_over_zero_copy"] > 0
    smallest = found["image Parquet, best", "bytes_per_jet"]
    assert smallest <= min(found["image Parquet, zstd", "bytes_per_jet"], found["image Parquet", "bytes_per_jet"])
    for peer in ("list Parquet", "HDF5, lzf", "HDF5, uncompressed", "shards, ragged"):
        assert found[peer, "cpu_microseconds_per_jet"] > 0
    assert found["HDF5, uncompressed", "bytes_per_jet"] > found["HDF5, lzf", "bytes_per_jet"]
    points, stored = (
        found[f"resnet15 from {source}", "train_jets_per_second"] for source in ("points", "stored images")
    )
    assert found["resnet15 from points", "train_rate_over_stored_images"] == pytest.approx(points / stored)
    assert 0 <= found["resnet15", "data_wait_share"] < 1


@pytest.mark.parametrize("what", ["build", "io", "kernels", "simulate", "train"])
def test_the_help_of_every_benchmark_has_an_example(what, capsys):
    assert main(["benchmark", what, "--help"]) == 0
    assert f"e2egraph benchmark {what} " in capsys.readouterr().out.split("Example:")[1]


def test_images_and_peers_hold_the_same_random_jets_of_the_training_split(tmp_path):
    table = read_table(write_toy_dataset(tmp_path / "toy", 600, nodes=(10, 60)))
    train = table.jets_of("train")
    first, *others = io._peers(table, tmp_path, 150, lambda line: None)
    held = pq.read_table(first.path)
    drawn = random_jets(table, 128, "train")
    for name in ("event", "jet", "label"):
        assert held[name].to_pylist() == table.columns[name][drawn].tolist()
    assert {peer.jets for peer in others} == {128} and np.isin(drawn, train).all()
    label, size = table.columns["label"], table.columns["n_nodes"]
    assert abs(label[drawn].mean() - label[train].mean()) < 0.12
    assert size[drawn].mean() == pytest.approx(size[train].mean(), rel=0.1)
    images = io._write_images(table, tmp_path, 150)[dense_parquet.FIELD.name]
    stored = pq.read_table(images.path, columns=["y", "pt"]).to_pydict()
    assert sorted(stored["y"]) == sorted(held["label"].to_pylist())
    assert sorted(stored["pt"]) == sorted(held["jet_pt"].to_pylist())


def test_benchmark_io_of_too_few_jets_is_refused(tmp_path, capsys):
    data = write_toy_dataset(tmp_path / "toy", 40)
    assert main(["benchmark", "io", "--data", str(data), "--output", str(tmp_path / "io.json")]) == 1
    assert "fewer than 128 training jets" in capsys.readouterr().err
    assert not (tmp_path / "io.json").exists()


def test_benchmark_io_against_another_version_compares_batches(tmp_path, capsys):
    data, here = write_toy_dataset(tmp_path / "toy", 200), str(Path(__file__).parents[2])
    words = ["benchmark", "io", "--data", str(data), "--output", str(tmp_path / "io.json"), "--repeats", "1"]
    assert main([*words, "--against", here]) == 2
    assert "--against and --against-data" in capsys.readouterr().err
    assert main([*words, "--against", here, "--against-data", str(data)]) == 0
    found = figures(tmp_path / "io.json")
    assert found["this version", "bytes_per_jet_over_other_version"] == 1
    for kind in ("padded", "ragged"):
        for what in ("cpu_us_per_jet", "jets_per_second", "first_batch_seconds"):
            this, other = (found[f"{case} version", f"{kind}_{what}"] for case in ("this", "other"))
            assert found["this version", f"{kind}_{what}_over_other_version"] == pytest.approx(this / other)


def test_benchmark_build_measures_both_numbers_of_workers_and_two_file_sizes(tmp_path):
    small, large = ntuple(tmp_path / "small.root", 1, 10), ntuple(tmp_path / "large.root", 2, 30)
    words = ["--sample", f"qcd={small}", "--sample", f"top={large}", "--output", str(tmp_path / "build.json")]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    assert main(["benchmark", "build", *words]) == 0
    found = figures(tmp_path / "build.json")
    one, two = found["1 worker", "events_per_second"], found["2 workers", "events_per_second"]
    assert found["2 workers", "rate_over_1_worker"] == pytest.approx(two / one)
    peaks = [r for r in json.loads((tmp_path / "build.json").read_text())["records"] if "peak" in r["metric"]]
    assert [peak["n"] for peak in peaks] == [small.stat().st_size, large.stat().st_size]
    assert all(peak["value"] > 50e6 for peak in peaks)


def test_benchmark_build_against_another_version_compares_content_and_cpu(tmp_path):
    files = [ntuple(tmp_path / f"{name}.root", seed, 10) for seed, name in enumerate(("qcd", "top"))]
    words = ["--sample", f"qcd={files[0]}", "--sample", f"top={files[1]}", "--output", str(tmp_path / "build.json")]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    here = str(Path(__file__).parents[2])
    assert main(["benchmark", "build", *words, "--against", here, "--repeats", "1"]) == 0
    found = figures(tmp_path / "build.json")
    this, other = (found[f"{case} version", "cpu_us_per_event"] for case in ("this", "other"))
    assert found["this version", "cpu_us_per_event_over_other_version"] == pytest.approx(this / other)
    assert found["this version", "same_bytes"] == 1


def test_benchmark_build_takes_the_samples_that_build_graphs_takes(tmp_path, monkeypatch):
    mixed = parton_ntuple(tmp_path / "mixed jets.root", 1, 10)
    words = ["benchmark", "build", "--task", "quark-gluon", "--sample", f"dijets={mixed}", "--repeats", "1"]
    for setting in ("object.pt_min=400", "object.abs_eta_max=1.5", "resampling=null"):
        words += ["--set", setting]
    words += ["--against", str(Path(__file__).parents[2]), "--output", str(tmp_path / "build.json")]
    monkeypatch.setattr("sys.argv", ["e2egraph", *words])
    assert main(words) == 0
    found = figures(tmp_path / "build.json")
    assert found["1 worker", "events_per_second"] > 0 and found["this version", "same_bytes"] == 1
    # The command can be given again as it is written.
    assert shlex.split(json.loads((tmp_path / "build.json").read_text())["command"]) == ["e2egraph", *words]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["io", "--data", ".", "--against", ".", "--against-data", ".", "--steps", "3"], "--steps: --against times"),
        (["io", "--data", ".", "--against", ".", "--against-data", ".", "--model", "gravnet"], "--model: --against"),
        (["build", "--sample", "top=a.root", "--repeats", "2"], "--repeats: turns of --against; give both or neither"),
    ],
)
def test_options_that_would_be_ignored_are_refused(tmp_path, capsys, words, message):
    assert main(["benchmark", *words, "--output", str(tmp_path / "out.json")]) == 2
    assert message in capsys.readouterr().err


def test_benchmark_kernels_against_another_version_compares_cpu(tmp_path):
    here = str(Path(__file__).parents[2])
    words = ["--model", "gravnet", "--nodes", "32", "--total-nodes", "64", "--width", "8", "--depth", "1"]
    words += ["--repeats", "1", "--against", here, "--output", str(tmp_path / "kernels.json")]
    assert main(["benchmark", "kernels", *words]) == 0
    found = figures(tmp_path / "kernels.json")
    for metric in ("gravnet_forward_cpu_seconds", "gravnet_train_cpu_seconds"):
        this, other = (found[f"{case} version", metric] for case in ("this", "other"))
        assert found["this version", f"{metric}_over_other_version"] == pytest.approx(this / other)


def test_the_other_version_is_the_one_that_runs(tmp_path, monkeypatch):
    for name in ("one", "other"):
        (tmp_path / name / "e2egraph").mkdir(parents=True)
        (tmp_path / name / "e2egraph" / "__init__.py").write_text(f"NAME = {name!r}")
    monkeypatch.chdir(tmp_path / "one")
    code = "import json, e2egraph; print(json.dumps({'name': e2egraph.NAME}))"
    assert run_version(tmp_path / "other", code, [], tmp_path)["name"] == "other"
    with pytest.raises(InputError, match=r"other: the measured code failed \(NameError.*no_name"):
        run_version(tmp_path / "other", "no_name", [], tmp_path)


def test_a_folder_without_another_version_is_refused(tmp_path, capsys):
    words = ["--against", str(tmp_path), "--output", str(tmp_path / "simulate.json")]
    assert main(["benchmark", "simulate", *words]) == 1
    assert "no package e2egraph in it" in capsys.readouterr().err


def test_benchmark_simulate_begins_with_an_empty_cache_and_with_a_kept_start(tmp_path):
    process = tmp_path / "short.yaml"
    process.write_text(
        "title: short\ngenerator:\n  pt_hat_minimum: 100\n  settings: ['HardQCD:all = on', 'PartonLevel:MPI = off']\n"
        "pile_up: {mean: 1, pool_events: 2, process: pile_up.yaml}\n"
    )
    (tmp_path / "pile_up.yaml").write_text(
        "title: pile-up\ngenerator:\n  settings: ['HardQCD:all = on', 'PartonLevel:MPI = off']\n"
    )
    words = ["--process", str(process), "--events", "3", "--repeats", "1", "--output", str(tmp_path / "simulate.json")]
    assert main(["benchmark", "simulate", *words]) == 0
    found = figures(tmp_path / "simulate.json")
    assert {metric for _, metric in found} == {
        "cold_startup_seconds",
        "cold_startup_cpu_seconds",
        "kept_startup_seconds",
        "kept_startup_cpu_seconds",
        "cpu_ms_per_event",
        "jets_cpu_ms_per_event",
    }
    assert 0 < found["this version", "jets_cpu_ms_per_event"] < found["this version", "cpu_ms_per_event"]
