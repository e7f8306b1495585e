"""Scripts of particle flow: events laid over one another, jets by two kinds of candidates, scans."""

import json

import numpy as np

from e2egraph.evaluation.particleflow.singleparticles import read_gun
from tests.scripts import loading


def test_events_laid_over_one_another_keep_their_energies_and_tracks(flow_file):
    measured = read_gun(flow_file).record.measured
    with loading.script("particle_flow_time") as script:
        four = script.laid_over(measured, 4)
        records = script.times(four)
    assert four.events == measured.events // 4
    assert len(four.tracks["pt"]) == len(measured.tracks["pt"])
    for one, two in ((measured.ecal, four.ecal), (measured.hcal, four.hcal)):
        np.testing.assert_allclose(one["energy"].sum(), two["energy"].sum(), rtol=1e-5)
        places = np.stack([two["event"], two["row"], two["column"]])
        assert np.unique(places, axis=1).shape == places.shape
    assert [record.metric for record in records] == ["elements", "clusters", "rules", "clusters and rules"]


def test_a_scan_writes_jets_and_pions_for_each_value(flow_file, tmp_path, monkeypatch):
    output = tmp_path / "scan.json"
    files = ["--events", str(flow_file), "--pions", str(flow_file), "--output", str(output)]
    monkeypatch.setattr("sys.argv", ["scan.py", *files, "--constant", "excess_sigmas", "--values", "0.5", "2"])
    with loading.script("particle_flow_scan") as script:
        script.main()
    cases = {record["case"] for record in json.loads(output.read_text())["records"]}
    assert cases == {"excess_sigmas 0.5", "excess_sigmas 2"}
