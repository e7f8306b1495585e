#!/usr/bin/env bash
# Linters, type checker, import contracts and the whole test suite (which builds the documentation), in .venv. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh sim,dev,docs
bash scripts/chromium.sh

ruff check .
ruff format --check .
mypy
lint-imports
# Two processes of one thread each are faster than one of two, and do not depend on the machine's cores.
export OMP_NUM_THREADS=1
pytest --numprocesses 2 --dist loadfile "$@"
