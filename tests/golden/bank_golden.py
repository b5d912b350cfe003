#!/usr/bin/python3
"""Writes bank_golden.h: the pull term with a class bank over several steps, computed by PyTorch in fp64, for tests/unit/test_bank_term.c.

    /usr/bin/python3 tests/golden/bank_golden.py > tests/golden/bank_golden.h

Written down from the definition, by autograd: an anchor's positives are the other images of its class in the batch, through which gradients
go, and the class's images that are not in the batch, by their stored embeddings, which are constants. Needs python3-torch.
"""
import textwrap

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(22)

COUNTS = torch.tensor([14, 8, 4, 2, 1])
WIDTH, CLASSES, BATCH, IMAGES = 7, len(COUNTS), 11, int(COUNTS.sum())
LABEL_OF = torch.repeat_interleave(torch.arange(CLASSES), COUNTS)[torch.randperm(IMAGES)]
PASSED = [0, 0.5, 1, 1.25, 2.75]
STEPS = len(PASSED)
MEMBERS = torch.stack([torch.randperm(IMAGES)[:BATCH] for _ in range(STEPS)])
MEMBERS[2, 8] = MEMBERS[2, 3]  # an image that is there twice
MEMBERS[4, 0] = MEMBERS[4, 10]


def as_float32(x):
    return x.to(torch.float32).to(torch.float64)


EMBEDDINGS = as_float32(torch.randn(STEPS, BATCH, WIDTH) * 0.6 + 0.2)

# alpha, scale, lambda, normalize, mean, bf16, momentum, max age, start epoch, factor on the embeddings (50: naive exponentials overflow)
CASES = [
    ("sqrt-n", 1, 1, False, False, False, 0, 1e9, 0, 1),
    ("sqrt-pi", 1, 0.01, False, False, False, 0, 1e9, 0, 1),
    ("sqrt-pi", 1, 1, True, False, False, 0.5, 1e9, 0, 1),
    ("sqrt-pi", 1, 1, False, True, False, 0, 1e9, 0, 1),
    ("sqrt-pi", 1, 1, False, True, True, 0.25, 1e9, 0, 1),
    ("sqrt-pi", 1, 1, False, False, False, 0.9, 0.75, 0, 1),
    ("sqrt-pi", 1, 1, False, False, False, 0, 1e9, 1, 1),
    ("sqrt-pi", 1, 1, False, False, False, 0, 1e9, 0, 50),
    ("sqrt-pi", 1, 1, False, False, False, 0, 0, 0, 1),
]


def alpha_of(rule):
    n = COUNTS.double()
    return {"sqrt-pi": (n / n.sum()).sqrt(), "sqrt-n": n.sqrt()}[rule]


def term(case, phi, members, entries, passed):
    rule, scale, weight, normalize, mean, _, _, max_age, start, _ = case
    alpha = scale * alpha_of(rule)
    direction = (lambda x: x / x.norm(dim=-1, keepdim=True)) if normalize else (lambda x: x)
    phi, total, with_bank = direction(phi), torch.zeros(()), 0
    for i in range(BATCH):
        y = LABEL_OF[members[i]]
        terms = [((phi[i] - phi[j]) ** 2).sum() - alpha[y] for j in range(BATCH) if j != i and LABEL_OF[members[j]] == y]
        fresh = len(terms)
        for image, (entry, when) in entries.items():
            if image not in members and LABEL_OF[image] == y and passed - when <= max_age and passed >= start:
                terms.append(((phi[i] - direction(entry)) ** 2).sum() - alpha[y])
        with_bank += len(terms) > fresh
        if mean and terms:
            terms = [t - torch.tensor(float(len(terms))).log() for t in terms]
        total = total + torch.logsumexp(torch.stack([torch.zeros(())] + terms), 0)
    return weight * total / BATCH, with_bank


def store(case, phi, members, entries, passed):
    half, momentum = case[5], case[6]
    for i, image in enumerate(members):
        if image in members[i + 1:]:
            continue
        old = entries.get(image)
        mixed = as_float32(momentum * old[0] + (1 - momentum) * phi[i] if old else phi[i])
        entries[image] = (mixed.to(torch.bfloat16).to(torch.float64) if half else mixed, passed)


def text(x, form):
    return "\n".join(textwrap.wrap(", ".join(form % v for v in x.reshape(-1).tolist()), 130, initial_indent="    ", subsequent_indent="    "))


def array(kind, name, x, form):
    print("static const %s %s = {\n%s,\n};" % (kind, name, text(x, form)))


print("/* Written by bank_golden.py: the pull term with a class bank, from PyTorch in fp64. */")
print("/* clang-format off */")
print("#ifndef ELMPI_TESTS_BANK_GOLDEN_H\n#define ELMPI_TESTS_BANK_GOLDEN_H\n\n#include <stdbool.h>\n#include <stdint.h>\n")
print("enum { BANK_STEPS = %d, BANK_BATCH = %d, BANK_WIDTH = %d, BANK_CLASSES = %d, BANK_IMAGES = %d };\n" % (STEPS, BATCH, WIDTH, CLASSES, IMAGES))
array("int64_t", "bank_counts[]", COUNTS, "%d")
array("int32_t", "bank_labels[]", LABEL_OF, "%d")
array("double", "bank_passed[]", torch.tensor(PASSED), "%.17g")
array("int64_t", "bank_members[BANK_STEPS * BANK_BATCH]", MEMBERS, "%d")
array("float", "bank_embeddings[BANK_STEPS * BANK_BATCH * BANK_WIDTH]", EMBEDDINGS, "%#.9gF")
print(
    "\ntypedef struct bank_golden {\n    const char *alpha;\n    double scale, lambda;\n    bool normalize, mean, half;\n"
    "    double momentum, max_age, start_epoch;\n    float factor;\n    struct {\n        double loss;\n        int with_bank;\n"
    "        double gradient[BANK_BATCH * BANK_WIDTH];\n    } step[BANK_STEPS];\n} bank_golden;\n"
)
print("static const bank_golden bank_cases[] = {")
for case in CASES:
    rule, scale, weight, normalize, mean, half, momentum, max_age, start, factor = case
    flags = ", ".join(str(f).lower() for f in (normalize, mean, half))
    print('    {"%s", %.17g, %.17g, %s, %.17g, %.17g, %.17g, %.9g, {' % (rule, scale, weight, flags, momentum, max_age, start, factor))
    entries = {}
    for s in range(STEPS):
        members = MEMBERS[s].tolist()
        phi = as_float32(EMBEDDINGS[s] * factor).requires_grad_(True)
        loss, with_bank = term(case, phi, members, entries, PASSED[s])
        (gradient,) = torch.autograd.grad(loss, phi)
        print("    {%.17g, %d, {\n%s}}," % (float(loss), with_bank, text(gradient, "%.12g")))
        store(case, phi.detach(), members, entries, PASSED[s])
    print("    }},")
print("};\n\n#endif")
