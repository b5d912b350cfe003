#!/usr/bin/python3
"""Writes loss_golden.h: losses and gradients computed by PyTorch in fp64, for tests/unit/test_loss.c.

    /usr/bin/python3 tests/golden/loss_golden.py > tests/golden/loss_golden.h

The losses are written down from their definitions, by autograd and without a thought for speed. Needs python3-torch.
"""
import textwrap

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20)

COUNTS = torch.tensor([500, 120, 60, 19, 5, 2])  # class 3 has no image in the batch, class 5 a single one
LABELS = torch.tensor([0, 1, 0, 2, 0, 4, 1, 0, 5, 2, 0, 1, 4])
WIDTH, CLASSES, BATCH = 7, len(COUNTS), len(LABELS)


def as_float32(x):
    return x.to(torch.float32).to(torch.float64)


EMBEDDINGS = as_float32(torch.randn(BATCH, WIDTH) * 0.8)
LOGITS = as_float32(torch.randn(BATCH, CLASSES) * 2)

# logit, tau
LOGIT_CASES = [("ce", 1), ("logadj", 1), ("logadj", 1.7), ("logadj", 0)]
# alpha, scale, lambda, normalize, factor on the embeddings (50: naive exponentials overflow even in fp64)
PULL_CASES = [
    ("pi", 1, 0.01, False, 1),
    ("sqrt-n", 1, 0.01, False, 1),
    ("sqrt-pi", 10, 0.001, False, 1),
    ("sqrt-pi", 1, 1, False, 1),
    ("n", 0.1, 0.5, False, 1),
    ("pi^0.25", 2, 1, False, 1),
    ("n^-0.5", 3, 1, False, 1),
    ("sqrt-pi", 1, 1, True, 1),
    ("sqrt-n", 0.25, 0.3, True, 1),
    ("sqrt-pi", 1, 1, False, 50),
    ("sqrt-n", 1, 0.01, False, 1 / 128),
]


def alpha_of(rule):
    n = COUNTS.double()
    pi = n / n.sum()
    if "^" in rule:
        base, exponent = rule.split("^")
        return (pi if base == "pi" else n) ** float(exponent)
    return {"pi": pi, "sqrt-pi": pi.sqrt(), "n": n, "sqrt-n": n.sqrt()}[rule]


def logit_loss(name, tau, f):
    prior = COUNTS / COUNTS.sum()
    return F.cross_entropy(f + (tau * prior.log() if name == "logadj" else 0), LABELS)


def pull_loss(rule, scale, weight, normalize, phi):
    alpha = scale * alpha_of(rule)
    if normalize:
        phi = phi / phi.norm(dim=1, keepdim=True)
    total = torch.zeros(())
    for i in range(BATCH):
        terms = [torch.zeros(())]
        for j in range(BATCH):
            if j != i and LABELS[i] == LABELS[j]:
                terms.append(((phi[i] - phi[j]) ** 2).sum() - alpha[LABELS[i]])
        total = total + torch.logsumexp(torch.stack(terms), 0)
    return weight * total / BATCH


def text(x, form):
    return "\n".join(textwrap.wrap(", ".join(form % v for v in x.reshape(-1).tolist()), 130, initial_indent="    ", subsequent_indent="    "))


def gradient_of(loss, x):
    (gradient,) = torch.autograd.grad(loss, x)
    return gradient


def array(kind, name, x, form):
    print("static const %s %s[] = {\n%s,\n};" % (kind, name, text(x, form)))


print("/* Written by loss_golden.py: losses and gradients from PyTorch in fp64. */")
print("/* clang-format off */")
print("#ifndef ELMPI_TESTS_LOSS_GOLDEN_H\n#define ELMPI_TESTS_LOSS_GOLDEN_H\n\n#include <stdbool.h>\n#include <stdint.h>\n")
print("enum { GOLDEN_BATCH = %d, GOLDEN_WIDTH = %d, GOLDEN_CLASSES = %d };\n" % (BATCH, WIDTH, CLASSES))
array("int64_t", "golden_counts", COUNTS, "%d")
array("int32_t", "golden_labels", LABELS, "%d")
array("float", "golden_embeddings", EMBEDDINGS, "%#.9gF")
array("float", "golden_logits", LOGITS, "%#.9gF")
print("\ntypedef struct logit_golden {\n    const char *name;\n    double tau, loss;\n    double gradient[GOLDEN_BATCH * GOLDEN_CLASSES];\n} logit_golden;\n")
print("static const logit_golden golden_logit_cases[] = {")
for name, tau in LOGIT_CASES:
    f = LOGITS.clone().requires_grad_(True)
    loss = logit_loss(name, tau, f)
    print('    {"%s", %.17g, %.17g, {\n%s}},' % (name, tau, float(loss), text(gradient_of(loss, f), "%.12g")))
print("};\n")
print(
    "typedef struct pull_golden {\n    const char *alpha;\n    double scale, lambda;\n    bool normalize;\n    float factor;\n    double loss;\n"
    "    double gradient[GOLDEN_BATCH * GOLDEN_WIDTH];\n} pull_golden;\n"
)
print("static const pull_golden golden_pull_cases[] = {")
for rule, scale, weight, normalize, factor in PULL_CASES:
    phi = as_float32(EMBEDDINGS * factor).requires_grad_(True)
    loss = pull_loss(rule, scale, weight, normalize, phi)
    print(
        '    {"%s", %.17g, %.17g, %s, %.9g, %.17g, {\n%s}},'
        % (rule, scale, weight, str(normalize).lower(), factor, float(loss), text(gradient_of(loss, phi), "%.12g"))
    )
print("};\n\n#endif")
