"""Spread of two-moons embeddings: mean distance of a class's test embeddings from their mean, over the distance of the two means.
The network is computed again from the checkpoint's weights, independently of elmpi.
Usage: two_moons_spread.py STORE CHECKPOINT -> one line: head tail"""
import sys
import h5py
import numpy as np

with h5py.File(sys.argv[1]) as store:
    x = store["test/features"][:].astype(np.float64)
    y = store["test/labels"][:]
with h5py.File(sys.argv[2]) as checkpoint:
    model = checkpoint["model"]
    layers = sorted(name[: -len(".weight")] for name in model if name.endswith(".weight") and not name.startswith("fc"))
    for layer in layers:
        x = np.maximum(0, x @ model[layer + ".weight"][:].astype(np.float64).T + model[layer + ".bias"][:])
means = [x[y == c].mean(axis=0) for c in (0, 1)]
apart = np.linalg.norm(means[0] - means[1])
print(*(np.linalg.norm(x[y == c] - means[c], axis=1).mean() / apart for c in (0, 1)))
