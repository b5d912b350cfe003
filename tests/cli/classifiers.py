"""Classifiers over a two-moons network, computed again from the checkpoint's weights in fp64, independently of elmpi.
Usage: classifiers.py STORE CHECKPOINT -> lines "name correct", of the test set"""
import sys
import h5py
import numpy as np

with h5py.File(sys.argv[1]) as store:
    data = {split: (store[split + "/features"][:].astype(np.float64), store[split + "/labels"][:]) for split in ("train", "test")}
with h5py.File(sys.argv[2]) as checkpoint:
    model = {name: value[:].astype(np.float64) for name, value in checkpoint["model"].items()}


def embed(x):
    for layer in sorted(n[: -len(".weight")] for n in model if n.endswith(".weight") and not n.startswith("fc")):
        x = np.maximum(0, x @ model[layer + ".weight"].T + model[layer + ".bias"])
    return x


(train, labels), (test, truth) = ((embed(x), y) for x, y in (data["train"], data["test"]))
w, bias = model["fc.weight"], model["fc.bias"]
prior = np.bincount(labels) / len(labels)


def show(name, predicted):
    print(name, int((predicted == truth).sum()))


show("fc", (test @ w.T + bias).argmax(1))
show("posthoc-la", (test @ w.T + bias - np.log(prior)).argmax(1))
show("tau-norm", (test @ w.T / np.linalg.norm(w, axis=1)).argmax(1))

centre = train.mean(axis=0)


def unit(x):
    x = x - centre
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, length, out=np.zeros_like(x), where=length > 1e-12)


means = np.stack([unit(train)[labels == c].mean(axis=0) for c in (0, 1)])
centres = np.stack([train[labels == c].mean(axis=0) for c in (0, 1)])
within = (train - centres[labels]).T @ (train - centres[labels]) / len(train)
within += 1e-4 * np.trace(within) / len(within) * np.eye(len(within))
direction = np.linalg.solve(within, centres.T)
show("lda", (test @ direction - (centres.T * direction).sum(axis=0) / 2).argmax(1))

show("ncm", ((unit(test)[:, None] - means[None]) ** 2).sum(-1).argmin(1))


def knn(distance, k):
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return (labels[nearest].mean(axis=1) > 0.5).astype(int)  # two classes, the lower one on ties


show("knn", knn(((test[:, None] - train[None]) ** 2).sum(-1), 5))
lengths = np.linalg.norm(test, axis=1)[:, None] * np.linalg.norm(train, axis=1)[None]
cosine = np.divide(test @ train.T, lengths, out=np.zeros_like(lengths), where=lengths > 0)
show("knn-cosine", knn(1 - cosine, 4))
