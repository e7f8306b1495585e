"""Barrel pixels at the radii of the Phase-1 detector (2017 and later, Run 3 too): a task that names this module among
its ``extensions`` has them. They count where hits come as images, which hold no radius of their own.

The table is the process's own: tasks that are loaded later have these radii too.
"""

from __future__ import annotations

from e2egraph.detector.channels import PHASE_1, Channel, channels, register

for _name, _radius in PHASE_1.items():
    _row = channels()[_name]
    register(Channel(_name, int(_row), _row.collection, _radius, energy=_row.energy, cms=_row.cms))
