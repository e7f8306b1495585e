import pytest

from e2egraph.errors import InputError
from e2egraph.training.runs.run_folder import holds_unfinished_run


def test_a_run_killed_while_its_configuration_was_written_is_begun_again(tmp_path):
    (tmp_path / "train.log").write_text("")
    (tmp_path / "config.yaml.123.partial").write_text("model:")
    assert not holds_unfinished_run(tmp_path)
    (tmp_path / "scores.parquet.123.partial").write_text("")
    with pytest.raises(InputError, match="holds other files and is no run"):
        holds_unfinished_run(tmp_path)
