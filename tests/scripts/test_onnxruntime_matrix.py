"""``scripts/onnxruntime_matrix.py``: outputs that are not finite, or of another shape, are no agreement."""

import math

import pytest

from e2egraph.tasks.outputs import Head
from tests.scripts import loading

HEAD = Head(name="classification", columns=("qcd", "top"), activation="softmax")


@pytest.mark.parametrize(
    ("there", "expected"), [([[0.1, 0.3]], 0.1), ([[math.nan, 0.2]], math.inf), ([[0.2]], math.inf)]
)
def test_the_largest_difference_is_infinite_where_outputs_cannot_be_compared(there, expected):
    with loading.script("onnxruntime_matrix") as script:
        found = script.largest_difference({HEAD.tensors[-1]: [[[0.1, 0.2]]]}, {HEAD.tensors[-1]: [there]}, [HEAD])
    assert found == pytest.approx(expected, rel=1e-5)
