"""Where a bundle may be written, and what an export leaves there."""

from pathlib import Path

import pytest

from e2egraph.errors import InputError
from e2egraph.export.bundle import read_metadata
from e2egraph.export.export import OWN_FILES
from tests.export.bundles import Linear, export, info


def test_an_earlier_bundle_is_replaced_and_other_content_is_not(tmp_path: Path) -> None:
    output = tmp_path / "bundle"
    for name in ("first", "second"):
        export(Linear(), output, info(name))
        assert read_metadata(output).info.model == name
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    (output / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds other content \(thesis\.tex\)"):
        export(Linear(), output)
    assert (output / "thesis.tex").read_text() == "years of work"
    assert read_metadata(output).info.model == "second"


def test_a_bundle_goes_where_a_link_leads_and_what_a_killed_export_left_is_replaced(tmp_path: Path) -> None:
    output = tmp_path / "link"
    output.symlink_to("scratch")
    export(Linear(), output, info("first"))
    (output / "metadata.json").unlink()
    (output / "new.123.partial").mkdir()
    (output / "new.123.partial" / "model.onnx").write_text("half")
    with pytest.raises(InputError, match=r"not a complete bundle \(metadata\.json is missing\)"):
        read_metadata(output)
    export(Linear(), output, info("second"))
    assert read_metadata(output).info.model == "second"
    assert output.is_symlink()
    assert {path.name for path in output.iterdir()} <= OWN_FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "scratch"]


def test_an_output_that_is_a_file_or_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputError, match="a file is in the way"):
        export(Linear(), tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written"):
        export(Linear(), tmp_path / "file" / "bundle")
