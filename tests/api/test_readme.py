"""The README's Python, as it stands there, at a size for tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.conftest import SMALL

README = (Path(__file__).parents[2] / "README.md").read_text()
(SNIPPET,) = re.findall(r"```python\n(.*?)```", README.split("## Python\n")[1].split("\n## ")[0], flags=re.DOTALL)

# What takes long is made small; everything else runs to the letter.
SMALLER = ((r"events=2000", "events=250"), (r"epochs=5", f"epochs=1, settings={SMALL}"))


@pytest.mark.journey
def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    program = SNIPPET
    for pattern, replacement in SMALLER:
        program, changes = re.subn(pattern, replacement, program)
        assert changes
    found: dict[str, object] = {}
    exec(compile(program, "README.md", "exec"), found)
    auc = float(capsys.readouterr().out.split()[0])
    assert 0 <= auc <= 1
    batch = found["batch"]
    assert len(batch) == 64 and batch.points.shape == (*batch.mask.shape, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"ttbar.root", "qcd.root", "data", "runs", "exports"}
