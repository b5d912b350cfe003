#!/usr/bin/env bash
# The container definition's steps in roots of their own: the Debian package is built in one and installed in another, where it trains.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
limit=6000
[ "$(id -u)" -eq 0 ] || skip "roots are made by root only"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
expect 0 "$ELMPI_SOURCE/tools/packaging/rehearse.sh" "$scratch/roots"
says stdout '^rehearsed: elmpi-train [0-9]'
absent "$scratch/roots"
expect 2 "$ELMPI_SOURCE/tools/packaging/rehearse.sh"
expect 2 "$ELMPI_SOURCE/tools/packaging/build-deb.sh" one two
