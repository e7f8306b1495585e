#!/usr/bin/env bash
# Fetches what exports/cpp is built against into FOLDER, and installs nothing: FOLDER/include (ONNX Runtime's C++ headers
# and nlohmann/json, from Debian's signed packages) and FOLDER/lib (links to the library in the installed onnxruntime
# wheel). What is there already is used again. PYTHON: the interpreter that has onnxruntime (default: python3).
set -euo pipefail

folder=${1:?usage: scripts/cpp_dependencies.sh FOLDER}
python=${PYTHON:-python3}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
# libonnxruntime-dev appeared in this release, with ONNX Runtime 1.21.
release=trixie
packages=(libonnxruntime-dev nlohmann-json3-dev)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
    echo "cpp_dependencies: $1" >&2
    exit 1
}

# The first complaint in a log of apt.
reason() {
    grep -m 1 '^[EW]: ' "$1" || tail -n 1 "$1"
}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

fetch() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        fail "apt-get and dpkg-deb are needed to fetch the headers; put onnxruntime/ and nlohmann/ into $folder/include yourself."
    [ -r "$keyring" ] || fail "$keyring is missing; install the package debian-archive-keyring."
    local work=$folder/apt
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages"
    echo "deb [signed-by=$keyring] $mirror $release main" >"$work/sources.list"
    local options=(
        -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
        -o "Dir::Cache=$work/cache" -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=
        -o Acquire::http::Timeout=60
    )
    apt-get "${options[@]}" --quiet --quiet --error-on=any update >"$work/log" 2>&1 ||
        fail "the package list of $mirror ($release) cannot be read ($(reason "$work/log")); check the network."
    (cd "$work/packages" && apt-get "${options[@]}" --quiet --quiet download "${packages[@]}") >>"$work/log" 2>&1 ||
        fail "${packages[*]} cannot be downloaded from $mirror ($(reason "$work/log")); check the network."
    local package
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    rm -rf "$folder/include"
    # Moved last: an interrupted run leaves no half-filled folder that the next one would take for complete.
    mv "$work/root/usr/include" "$folder/include"
    rm -rf "$work"
}

if [ ! -e "$folder/include/onnxruntime/onnxruntime_cxx_api.h" ] || [ ! -e "$folder/include/nlohmann/json.hpp" ]; then
    fetch
fi

library=$("$python" - <<'END'
import importlib.util
import pathlib

spec = importlib.util.find_spec("onnxruntime")
folder = pathlib.Path(spec.origin).parent / "capi" if spec and spec.origin else None
found = sorted(folder.glob("libonnxruntime.so.*.*")) if folder else []
print(found[-1] if found else "")
END
) || fail "$python does not run; set PYTHON to the interpreter that has onnxruntime."
[ -n "$library" ] || fail "$python has no onnxruntime with a library of its own; install onnxruntime 1.21 or newer, or set PYTHON."
mkdir -p "$folder/lib"
for name in libonnxruntime.so libonnxruntime.so.1; do
    ln -sfn "$library" "$folder/lib/$name"
done
echo "$folder: headers in include/, libonnxruntime.so in lib/"
