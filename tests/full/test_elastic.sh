#!/usr/bin/env bash
# Elastic resume for all pairs of 1..4 ranks and more samplers; some six minutes.
ELMPI_ELASTIC=full exec bash "$(dirname "$0")/../fault/test_elastic.sh"
