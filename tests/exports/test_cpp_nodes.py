"""What makes nodes fast in C++ changes none: no hit of the region is overlooked, and the order is a stable sort's."""

import subprocess
from pathlib import Path

from tests.exports.cpp_build import SANITIZERS, build_program
from tests.made_once import made_once


def test_no_hit_of_the_region_is_overlooked_and_nodes_are_sorted_stably(tmp_path_factory):
    source = Path(__file__).with_name("node_order.cc")
    program = made_once(tmp_path_factory, "node_order", lambda output: build_program(source, output, None, *SANITIZERS))
    words = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    missed, inside, outside, sorted_alike = map(int, words)
    assert (missed, sorted_alike) == (0, 1)
    assert min(inside, outside) > 100_000
