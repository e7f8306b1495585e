"""The files that take longest are given out first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tests.conftest import LONGEST, pytest_collection_modifyitems

HERE = Path(__file__).parent


def test_the_files_that_begin_first_exist() -> None:
    assert [name for name in LONGEST if not (HERE / name).is_file()] == []


def test_the_others_follow_in_the_order_they_were_found_in() -> None:
    found = ["api/test_lazy.py", LONGEST[1], "test_order.py", LONGEST[0], LONGEST[1], "data/test_share.py"]
    items = [SimpleNamespace(path=HERE / name, number=number) for number, name in enumerate(found)]
    pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.number for item in items] == [3, 1, 4, 0, 2, 5]
