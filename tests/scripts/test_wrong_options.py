"""Values of options that nothing could be done with end every script in one sentence, before any work."""

import sys
from types import SimpleNamespace

import pytest

from tests.scripts import loading


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("jet_display", ["data", "--objects", "0"], "--objects 0: give one at least."),
        ("jet_energy_scale", ["--events", "0"], "--events 0: give one at least."),
        ("link_quality", ["data", "--jets", "0"], "--jets 0: give one at least."),
        ("link_truth", ["a.root", "--layers", "BPIX1,BPIX2,BPIX3", "--events", "0"], "--events 0: give one at least."),
        ("mass_spectrum", ["a=a.parquet", "--bins", "0"], "--bins 0: give one at least."),
        ("particle_flow_time", ["--events", "a.root", "--laid-over", "2", "0"], "--laid-over 0: give one at least."),
        ("robustness", ["--workers", "0"], "--workers 0: give one at least."),
        ("onnxruntime_matrix", ["bundle", "--versions", "1.20.1,old"], "--versions old: give versions such as"),
    ],
)
def test_a_value_that_nothing_can_be_done_with_is_named(name, words, said, tmp_path, monkeypatch, capsys):
    output = "--folder" if name == "onnxruntime_matrix" else "--output"
    runs = ["run"] if name == "robustness" else []
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *runs, *words, output, str(tmp_path / "out")])
    with loading.script(name) as script:
        if runs:
            monkeypatch.setattr(script, "read_run", lambda run: None)
        with pytest.raises((SystemExit, script.UsageError) if name == "jet_display" else SystemExit) as ended:
            script.main()
    if name == "jet_display":  # printed where it is run as a script
        assert str(ended.value) == said
    else:
        assert ended.value.code == 1
        error = capsys.readouterr().err
        assert error.startswith(f"{name}.py: {said}") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_more_events_laid_over_one_another_than_there_are_are_refused(tmp_path, monkeypatch, capsys):
    words = ["--events", "a.root", "--laid-over", "1", "4", "--output", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", ["particle_flow_time.py", *words])
    with loading.script("particle_flow_time") as script:
        few = SimpleNamespace(record=SimpleNamespace(measured=SimpleNamespace(events=3)))
        monkeypatch.setattr(script, "read_gun", lambda path: few)
        with pytest.raises(SystemExit):
            script.main()
    assert capsys.readouterr().err == (
        "particle_flow_time.py: a.root: 3 events, fewer than --laid-over 4; give a file of more.\n"
    )
