#!/usr/bin/env bash
# The analysis against SciPy and scikit-learn besides NumPy: Fisher's spectrum, macro F1, the divergence of t-SNE.
set -euo pipefail
/usr/bin/python3 -c 'import scipy, sklearn' 2>/dev/null || {
    echo "skipped: python3-scipy and python3-sklearn are not installed"
    exit 77
}
exec bash "$(dirname "$0")/../cli/test_analysis.sh" full
