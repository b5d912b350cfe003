#!/usr/bin/python3
"""Where the runs of one job on 1 and on more ranks part: which ReLUs of cifar-resnet8 open in one run and not in the other, step by step.

    relu_gates.py STORE FOLDER STEPS

FOLDER holds one-<n>.h5 and more-<n>.h5, the checkpoints of both runs after n = 0 .. STEPS - 1 steps (data.augment = none, data.sampler =
sequential, bn = global). Both runs' weights meet the next step's batch here in fp64. Fails if the weights part before a ReLU does, or if the
first ReLUs that differ are not as near to 0 as rounding explains.
"""
import configparser
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

from long_tail import members

torch.set_default_dtype(torch.float64)
store, folder, steps = h5py.File(sys.argv[1], "r"), sys.argv[2], int(sys.argv[3])
APART_BEFORE, FIRST_GATE = 1e-6, 1e-4


def gates(w, x):
    """What each ReLU is given, by the BatchNorm before it."""
    given = []

    def norm(v, name):
        return F.batch_norm(v, None, None, w[name + ".weight"], w[name + ".bias"], True, 0.1, 1e-5)

    def relu(v, name):
        given.append((name, v))
        return F.relu(v)

    v = relu(norm(F.conv2d(x, w["conv1.weight"], padding=1), "bn1"), "bn1")
    for stage in range(3):
        name, channels, stride = "layer%d.0" % (stage + 1), 16 << stage, 2 if stage else 1
        u = relu(norm(F.conv2d(v, w[name + ".conv1.weight"], stride=stride, padding=1), name + ".bn1"), name + ".bn1")
        u = norm(F.conv2d(u, w[name + ".conv2.weight"], padding=1), name + ".bn2")
        if stride > 1:
            v = F.pad(v[:, :, ::stride, ::stride], (0, 0, 0, 0, channels // 4, channels // 4))
        v = relu(u + v, name + ".bn2")
    return given


first = h5py.File(folder + "/one-0.h5", "r")
job = configparser.ConfigParser()
job.read_string(first["job"][()].decode())
kept, size = members(store["train/labels"][:], job.getfloat("data", "imbalance")), job.getint("optim", "batch")
mean, std = (torch.tensor(np.asarray(store.attrs[k], dtype=np.float64)).reshape(1, -1, 1, 1) for k in ("mean", "std"))
parted = None
for step in range(steps):
    weights = []
    for run in ("one", "more"):
        with h5py.File("%s/%s-%d.h5" % (folder, run, step), "r") as f:
            weights.append({k: torch.tensor(v[()].astype(np.float64)) for k, v in f["model"].items()})
    places = kept[step * size:(step + 1) * size]
    x = (torch.tensor(np.stack([store["train/images"][i] for i in places]).astype(np.float64)).permute(0, 3, 1, 2) / 255 - mean) / std
    apart = (sum(((weights[0][k] - weights[1][k]) ** 2).sum() for k in weights[0]) / sum((v ** 2).sum() for v in weights[0].values())).sqrt().item()
    found = []
    for (name, a), (_, b) in zip(gates(weights[0], x), gates(weights[1], x)):
        differ = (a > 0) != (b > 0)
        if differ.any():
            found.append("%s %d of %d, |x| up to %.1e" % (name, differ.sum(), a.numel(), a[differ].abs().max()))
            if parted is None and a[differ].abs().max() > FIRST_GATE:
                sys.exit("FAILED: step %d: the first ReLU to differ is %s, which rounding does not explain" % (step + 1, found[-1]))
    print("step %2d: weights apart %.1e of their length; ReLUs that differ: %s" % (step + 1, apart, "; ".join(found) or "none"))
    if parted is None and apart > APART_BEFORE:
        sys.exit("FAILED: step %d: the weights are %.1e apart, and no ReLU has differed so far" % (step + 1, apart))
    if found and parted is None:
        parted = step + 1
print("the first ReLU differs in step %s" % parted)
