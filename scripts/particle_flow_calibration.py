"""Calibrate rule-based particle flow on single photons and neutral kaons, and check it on others (its gate).

    e2egraph simulate --process photon_grid --events 250 --seed 11 --no-images --particle-flow --output photon.root
    e2egraph simulate --process kaon_long_grid --events 250 --seed 12 … --output kaon.root
    (and others, with --seed 111, 112, 113, to check on: photon2.root, kaon2.root, pion2.root)
    python scripts/particle_flow_calibration.py --photons photon.root --kaons kaon.root --check-photons photon2.root \
        --check-kaons kaon2.root --check-pions pion2.root --output configs/particleflow/detector.yaml \
        --report exports/results/particle_flow_calibration.json

The rules' other constants stay what they are in the output where that exists. Parametric simulation, not CMS
simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from e2egraph.config import as_dict, read_yaml, validate
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.particleflow.singleparticles import (
    GateRow,
    charged_gate,
    neutral_gate,
    read_gun,
    single_particles,
)
from e2egraph.files import check_file, replacing, write_json
from e2egraph.reconstruction.calibrationfit import fit_calibration
from e2egraph.reconstruction.rulesconfig import RulesConfig
from e2egraph.utf8 import use_utf8

REGIONS = (0.8, 1.5)
ENERGIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
PHOTON_BINS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
HADRON_BINS = (5.0, 10.0, 20.0, 50.0, 100.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photons", "kaons", "check-photons", "check-kaons", "check-pions"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="ROOT file")
    parser.add_argument("--output", type=Path, required=True, help="YAML file of the rules' constants")
    parser.add_argument("--report", type=Path, required=True, help="JSON file of the check")
    options = parser.parse_args()
    try:
        check_file(options.output)
        check_file(options.report)
        rules = fitted(options.photons, options.kaons, options.output)
        rows = gate(rules, options.check_photons, options.check_kaons, options.check_pions)
    except (InputError, UsageError) as error:
        parser.exit(1, f"particle_flow_calibration.py: {error}\n")
    command = shlex.join(
        [
            "python",
            "scripts/particle_flow_calibration.py",
            *(Path(each).name if each.endswith(".root") else each for each in sys.argv[1:]),
        ]
    )
    comment = "# Constants of rule-based particle flow, made by (see the script for how its files are simulated)\n"
    text = comment + f"#   {command}\n" + yaml.safe_dump(as_dict(rules), sort_keys=False, width=118, allow_unicode=True)
    with replacing(options.output) as stream:
        stream.write(text.encode())
    write_json(options.report, {"command": command, "rows": [asdict(row) for row in rows]})
    for row in rows:
        print(
            f"{row.kind:38} {row.low:5g}-{row.high:<5g} {row.number:5} mean {row.mean:.3f} median {row.median:.3f} "
            f"spread {row.spread:.3f}"
        )


def fitted(photons: Path, kaons: Path, output: Path) -> RulesConfig:
    """The constants in ``output`` (or those by default) with a new calibration."""
    samples = [single_particles(read_gun(path)) for path in (photons, kaons)]
    calibration = fit_calibration(*samples, REGIONS, ENERGIES)
    if output.is_file():
        return replace(validate(RulesConfig, read_yaml(output), str(output)), calibration=calibration)
    return RulesConfig(calibration=calibration)


def gate(rules: RulesConfig, photons: Path, kaons: Path, pions: Path) -> list[GateRow]:
    """Responses of the rules to particles alone."""
    rows = neutral_gate(read_gun(photons), rules, "photon", PHOTON_BINS)
    rows += neutral_gate(read_gun(kaons), rules, "neutral hadron", HADRON_BINS)
    return rows + charged_gate(read_gun(pions), rules, HADRON_BINS)


if __name__ == "__main__":
    use_utf8()
    main()
