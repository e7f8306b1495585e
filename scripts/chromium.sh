#!/usr/bin/env bash
# Chromium and its driver from Debian's packages, for the tests of the HTML reports; does nothing where both are there.
set -euo pipefail

if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "chromium.sh: no apt-get on this system; install Chromium and chromedriver, both on PATH." >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "chromium.sh: needs root; run 'apt-get install chromium chromium-driver' as root, then again." >&2
    exit 1
  fi
  as_root=(sudo)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends chromium chromium-driver >"$log" 2>&1
}
# The package lists of an image are often missing or old: fetched only where the install fails without.
if ! install && ! { "${as_root[@]}" apt-get update --quiet >"$log" 2>&1 && install; }; then
  tail -n 20 "$log" >&2
  echo "chromium.sh: Chromium could not be installed (apt-get's last lines above)." >&2
  exit 1
fi
