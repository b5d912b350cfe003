#!/usr/bin/env bash
# The whole fault matrix: every phase, kind of failure, failing rank (first and last) on 2, 3 and 4 ranks; some half an hour.
ELMPI_MATRIX=full exec bash "$(dirname "$0")/../fault/test_matrix.sh"
