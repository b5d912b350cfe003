#!/usr/bin/python3
"""Writes logit_golden.h: ldam, cb-focal, equalization and class weights computed by PyTorch in fp64, for tests/unit/test_logits.c.

    /usr/bin/python3 tests/golden/logit_golden.py > tests/golden/logit_golden.h

The batch is loss_golden.py's. The losses are written down from their definitions, by autograd, image by image. Needs python3-torch.
"""
import contextlib
import io

import torch
import torch.nn.functional as F

with contextlib.redirect_stdout(io.StringIO()):
    from loss_golden import BATCH, CLASSES, COUNTS, LABELS, LOGITS, as_float32, gradient_of, text

N = COUNTS.double()
PRIOR = N / N.sum()
AUTO, NONE, BALANCED, DRW, FREQUENCY = range(5)
PARTNERS = LABELS.roll(3)  # of mixed images
NO_SMOOTHING, UNIFORM, LABEL_AWARE = range(3)

DEFAULTS = dict(
    weights=AUTO, beta=0.9999, begin=160, passed=0, factor=1, margin=0.5, scale=30, variant=0, gamma=1, rare=0.005, seed=0, epoch=0, position=0,
    smoothing=0, share=0.1, head=0.4, tail=0.1, own=1
)
CASES = [
    ("ce", dict(weights=BALANCED)),
    ("ce", dict(weights=BALANCED, beta=0)),
    ("ce", dict(weights=BALANCED, beta=1)),
    ("ce", dict(weights=BALANCED, beta=0.999999)),
    ("ce", dict(weights=DRW, passed=159.99)),
    ("ce", dict(weights=DRW, passed=160)),
    ("ce", dict(weights=FREQUENCY)),
    ("logadj", dict(weights=DRW, beta=0.99, begin=18.75, passed=19)),
    ("ldam", dict(factor=1 / 8)),
    ("ldam", dict(factor=1 / 8, weights=DRW, passed=170)),
    ("ldam", dict(factor=1 / 8, weights=BALANCED, beta=0.999, margin=0.3, scale=10)),
    ("ce", dict(smoothing=UNIFORM)),
    ("ce", dict(smoothing=UNIFORM, share=1, factor=4)),
    ("ce", dict(smoothing=LABEL_AWARE, weights=BALANCED)),
    ("ce", dict(smoothing=LABEL_AWARE, head=0, tail=0.3)),
    ("logadj", dict(smoothing=UNIFORM, share=0.3)),
    ("ldam", dict(factor=1 / 8, smoothing=LABEL_AWARE, head=0.3, tail=0)),
    ("cb-focal", dict()),
    ("cb-focal", dict(beta=0.999, gamma=0.5)),
    ("cb-focal", dict(weights=NONE, gamma=2)),
    ("cb-focal", dict(gamma=0)),
    ("cb-focal", dict(weights=FREQUENCY)),
    ("cb-focal", dict(weights=DRW, begin=3, passed=2, gamma=1.5)),
    ("cb-focal", dict(variant=1)),
    ("cb-focal", dict(variant=1, gamma=0.5, weights=NONE)),
    ("cb-focal", dict(variant=1, gamma=0)),
    ("cb-focal", dict(variant=2)),
    ("cb-focal", dict(variant=2, gamma=0.5, beta=0.99)),
    ("cb-focal", dict(variant=2, weights=DRW, begin=3, passed=2)),
    ("cb-focal", dict(factor=8)),
    ("cb-focal", dict(factor=8, variant=1, gamma=0.5)),
    ("equalization", dict(gamma=0.9)),
    ("equalization", dict(gamma=0.9, rare=0.05, seed=7, epoch=3, position=1000)),
    ("equalization", dict(gamma=0.5, rare=0.5, seed=2**33 + 5, epoch=90, position=123456, weights=BALANCED)),
    ("equalization", dict(gamma=1, rare=0.05)),
    ("equalization", dict(gamma=0, rare=0.05)),
    ("equalization", dict(variant=1)),
    ("equalization", dict(variant=1, weights=DRW, passed=200)),
    ("ce", dict(own=0.3)),
    ("ce", dict(own=0.75, weights=BALANCED, smoothing=UNIFORM)),
    ("logadj", dict(own=0.5)),
    ("ldam", dict(factor=1 / 8, own=0.9, weights=DRW, passed=170)),
    ("cb-focal", dict(own=0.4)),
    ("cb-focal", dict(own=0.4, variant=1)),
    ("cb-focal", dict(own=0.4, variant=2)),
    ("equalization", dict(own=0.6, gamma=0.5, rare=0.5, seed=3)),
    ("equalization", dict(own=0.6, variant=1)),
]


def philox(key, counter):
    """Philox4x32-10 as Salmon et al. 2011 give it."""
    k, c = list(key), list(counter)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def draw(seed, epoch, position, c):
    """Uniform number of class c of an image: words 2c and 2c + 1 of the stream (seed, loss, epoch, position)."""
    loss_stream = 5
    words = philox((seed & 0xFFFFFFFF, loss_stream), (c // 2, epoch, position, seed >> 32))
    high, low = words[2 * (c % 2)] >> 5, words[2 * (c % 2) + 1] >> 6
    return (high * 2**26 + low) / 2**53


def balanced_weights(b):
    w = 1 / N if b == 1 else (1 - b) / (1 - b**N)
    return w * CLASSES / w.sum()


def weights_of(name, o):
    if o["weights"] == BALANCED or (o["weights"] == AUTO and name == "cb-focal"):
        return balanced_weights(o["beta"])
    if o["weights"] == DRW:
        return balanced_weights(o["beta"] if o["passed"] >= o["begin"] else 0)
    return N / N.max() if o["weights"] == FREQUENCY else torch.ones(CLASSES)


def smoothing_of(o, y):
    """The share of the label that is spread: MiSLAS's concave form, or the same for all."""
    if o["smoothing"] != LABEL_AWARE:
        return o["share"] if o["smoothing"] == UNIFORM else 0.0
    place = (N[y] - N.min()) / (N.max() - N.min())
    return float(o["tail"] + (o["head"] - o["tail"]) * torch.sin(place * torch.pi / 2))


def image_loss(name, o, f, y, i):
    smooth = smoothing_of(o, y)
    if name == "ce":
        return F.cross_entropy(f, y, label_smoothing=smooth)
    if name == "logadj":
        return F.cross_entropy(f + PRIOR.log(), y, label_smoothing=smooth)
    onehot = F.one_hot(y, CLASSES).double()
    if name == "ldam":
        m = N**-0.25
        m = m / m.max() * o["margin"]
        return F.cross_entropy(o["scale"] * (f - m * onehot), y, label_smoothing=smooth)
    if name == "cb-focal" and o["variant"] == 0:
        p = torch.sigmoid(f)
        miss = torch.where(onehot > 0, 1 - p, p)
        return (miss ** o["gamma"] * F.binary_cross_entropy_with_logits(f, onehot, reduction="none")).sum()
    if name == "cb-focal":
        return (1 - F.softmax(f, 0)[y]) ** o["gamma"] * F.cross_entropy(f, y)
    if o["variant"] == 1:
        others = [k for k in range(CLASSES) if k != y]
        return torch.logsumexp(torch.stack([torch.zeros(())] + [PRIOR[k] + f[k] - f[y] for k in others]), 0)
    b = torch.tensor([float(draw(o["seed"], o["epoch"], o["position"] + i, c) < o["gamma"]) for c in range(CLASSES)])
    w = 1 - b * (PRIOR < o["rare"]) * (1 - onehot)
    return -(f[y].exp() / (w * f.exp()).sum()).log()


def public_focal(o, f, w, labels):
    """LDAM-DRW's released code: the weight is inside the cross-entropy that p is computed from."""
    weighted = w * F.cross_entropy(f, labels, reduction="none")
    return ((1 - torch.exp(-weighted)) ** o["gamma"] * weighted).mean()


def batch_loss(name, o, f, labels):
    w = weights_of(name, o)[labels]
    if name == "cb-focal" and o["variant"] == 2:
        return public_focal(o, f, w, labels)
    losses = torch.stack([image_loss(name, o, f[i], labels[i], i) for i in range(BATCH)])
    return (w * losses).sum() / (BATCH if name == "cb-focal" else w.sum())


def main():
    fields = list(DEFAULTS)
    whole = ("weights", "variant", "seed", "epoch", "position", "smoothing")
    print("/* Written by logit_golden.py: logit losses and gradients from PyTorch in fp64. */")
    print("/* clang-format off */")
    print('#ifndef ELMPI_TESTS_LOGIT_GOLDEN_H\n#define ELMPI_TESTS_LOGIT_GOLDEN_H\n\n#include "golden/loss_golden.h"\n')
    print("typedef struct weighted_golden {\n    const char *name;")
    for field in fields:
        print("    %s %s;" % ("int64_t" if field in whole else "double", field))
    print("    double loss;\n    double gradient[GOLDEN_BATCH * GOLDEN_CLASSES];\n} weighted_golden;\n")
    print("static const int32_t golden_partners[] = {%s};\n" % ", ".join("%d" % label for label in PARTNERS))
    print("static const weighted_golden golden_weighted_cases[] = {")
    for name, given in CASES:
        o = {**DEFAULTS, **given}
        f = as_float32(LOGITS * o["factor"]).requires_grad_(True)
        loss = batch_loss(name, o, f, LABELS)
        if o["own"] < 1:
            loss = o["own"] * loss + (1 - o["own"]) * batch_loss(name, o, f, PARTNERS)
        values = ", ".join(("%d" if field in whole else "%.17g") % o[field] for field in fields)
        print('    {"%s", %s, %.17g, {\n%s}},' % (name, values, float(loss), text(gradient_of(loss, f), "%.12g")))
    print("};\n\n#endif")


main()
