# Sourced by the other scripts: makes .venv (Python 3.11 or newer), installs e2egraph with the extras named in $1 at the
# pinned versions, and activates it. What is installed already is used again.
extras=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$python is older than Python 3.11; set PYTHON to a newer one." >&2
    exit 1
}
if [ ! -x .venv/bin/pip ]; then
    "$python" -m venv .venv || {
        echo "No virtual environment could be made; on Debian: apt-get install python3-venv." >&2
        exit 1
    }
fi
. .venv/bin/activate
installed=.venv/installed-$extras
if ! cat pyproject.toml scripts/constraints.txt | cmp --silent - "$installed"; then
    echo "Installing e2egraph[$extras] into .venv (a few minutes the first time) …"
    pip install --quiet --disable-pip-version-check --constraint scripts/constraints.txt --editable ".[$extras]"
    cat pyproject.toml scripts/constraints.txt >"$installed"
fi
