#!/usr/bin/python3
"""Writes term_golden.h: embedding terms over three steps, computed by PyTorch in fp64, for tests/unit/test_loss_terms.c.

    /usr/bin/python3 tests/golden/term_golden.py > tests/golden/term_golden.h

The terms are written down from their definitions, by autograd and without a thought for speed. What they learn (centres, margins) follows
after every step, at rate LR. Beside the term stands cross-entropy, so that terms that take its place by and by show how much of it is left.
Needs python3-torch.
"""
import textwrap

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(21)

COUNTS = torch.tensor([500, 120, 60, 19, 5, 2])
LABELS = torch.tensor([
    [0, 1, 0, 2, 0, 4, 1, 0, 5, 2, 0, 1, 4],  # class 3 has no image, class 5 a single one
    [2, 0, 0, 3, 1, 3, 0, 5, 5, 0, 3, 1, 0],
    [0, 1, 0, 2, 0, 4, 1, 0, 5, 2, 0, 3, 4],
])
STEPS, BATCH = LABELS.shape
WIDTH, CLASSES, LR, EPOCHS = 7, len(COUNTS), 0.125, 90
PASSED = [0, 30, 75]  # epochs done at each step


def as_float32(x):
    return x.to(torch.float32).to(torch.float64)


EMBEDDINGS = as_float32(torch.randn(STEPS, BATCH, WIDTH) * 0.8 + 0.3)
LOGITS = as_float32(torch.randn(STEPS, BATCH, CLASSES) * 2)
PRIOR = COUNTS / COUNTS.sum()


class Term:
    """A term with options: loss of a step, and what it learns from it."""

    def __init__(self, **options):
        self.__dict__.update(options)
        self.learned = {}

    def update(self, phi, y, gradients):
        pass

    def parameters(self):
        return []

    def mix(self, step):
        return 1, 1


class Dro(Term):
    variant, epsilon, momentum = "paper", 1, 0.9

    def __init__(self, **options):
        super().__init__(**options)
        self.mu = {}
        if self.variant == "public":
            self.margin = torch.full((CLASSES,), float(self.epsilon), requires_grad=True)
        else:
            self.margin = self.epsilon / PRIOR.sqrt()

    def parameters(self):
        return [self.margin] if self.variant == "public" else []

    def means(self, phi, y):
        return {int(c): phi[y == c].mean(0) for c in y.unique()}

    def loss(self, phi, f, y, step):
        first_sight = self.means(phi.detach(), y)
        each = []
        for i in range(BATCH):
            c = int(y[i])
            mu = self.mu.get(c, first_sight[c])
            d = (phi - mu).norm(dim=1) if self.variant == "public" else ((phi - mu) ** 2).sum(1)
            each.append(torch.logsumexp(d[i] - d + self.margin[c] * (y != c), 0))
        each = torch.stack(each)
        if self.variant == "paper":
            return each.mean()
        return torch.stack([each[y == c].mean() for c in y.unique()]).mean()

    def update(self, phi, y, gradients):
        for c, mean in self.means(phi, y).items():
            self.mu[c] = self.momentum * self.mu[c] + (1 - self.momentum) * mean if c in self.mu else mean
        if gradients:
            self.margin = (self.margin - LR * gradients[0]).detach().requires_grad_(True)


class Center(Term):
    rate = 0.5

    def __init__(self, **options):
        super().__init__(**options)
        self.c = torch.zeros(CLASSES, WIDTH)

    def loss(self, phi, f, y, step):
        return torch.stack([((phi[i] - self.c[y[i]]) ** 2).sum() for i in range(BATCH)]).mean()

    def update(self, phi, y, gradients):
        for c in y.unique():
            self.c[c] -= self.rate * sum(self.c[c] - phi[i] for i in range(BATCH) if y[i] == c) / (1 + (y == c).sum())


class Supcon(Term):
    temperature = 0.07

    def loss(self, phi, f, y, step):
        z = phi / phi.norm(dim=1, keepdim=True)
        total = torch.zeros(())
        for i in range(BATCH):
            others = [j for j in range(BATCH) if j != i]
            positives = [j for j in others if y[j] == y[i]]
            if positives:
                s = z @ z[i] / self.temperature
                total = total + sum(torch.logsumexp(s[others], 0) - s[p] for p in positives) / len(positives)
        return total / BATCH


class HybridSc(Supcon):
    def mix(self, step):
        a = 1 - (PASSED[step] / EPOCHS) ** 2
        return 1 - a, a


class Triplet(Term):
    margin, mining = 0.2, "all"

    def loss(self, phi, f, y, step):
        terms = []
        for i in range(BATCH):
            positives = [phi[i] @ phi[j] for j in range(BATCH) if j != i and y[j] == y[i]]
            negatives = [phi[i] @ phi[j] for j in range(BATCH) if y[j] != y[i]]
            if not positives or not negatives:
                continue
            if self.mining == "hardest":
                positives, negatives = [min(positives)], [max(negatives)]
            terms += [torch.clamp(self.margin + n - p, min=0) for p in positives for n in negatives]
        return torch.stack(terms).mean()


class Spreadout(Term):
    def loss(self, phi, f, y, step):
        z = phi / phi.norm(dim=1, keepdim=True)
        s = torch.stack([z[i] @ z[j] for i in range(BATCH) for j in range(BATCH) if i != j])
        return s.mean() ** 2 + torch.clamp((s**2).mean() - 1 / WIDTH, min=0)


class Range(Term):
    intra, inter, margin = 0.5, 0.5, 1

    def loss(self, phi, f, y, step):
        total = torch.zeros(())
        classes = [int(c) for c in y.unique()]
        for c in classes:
            x = phi[y == c]
            d = [((x[i] - x[j]) ** 2).sum().clamp(min=1e-12) for i in range(len(x)) for j in range(i)]
            largest = sorted(d, key=float)[-2:]
            if largest:
                total = total + self.intra * len(largest) / sum(1 / v for v in largest)
        mu = {c: phi[y == c].mean(0) for c in classes}
        between = min(((mu[a] - mu[b]) ** 2).sum() for a in classes for b in classes if a < b)
        return total + self.inter * torch.clamp(self.margin - between, min=0)


class ContrastiveLogit(Term):
    def loss(self, phi, f, y, step):
        total = torch.zeros(())
        for i in range(BATCH):
            terms = [torch.zeros(())] + [f[j, y[i]] - f[i, y[i]] for j in range(BATCH) if y[j] != y[i]]
            total = total + torch.logsumexp(torch.stack(terms), 0)
        return total / BATCH


class Lda(Term):
    ridge, window = 1e-3, 1

    def loss(self, phi, f, y, step):
        classes = [c for c in y.unique() if (y == c).sum() > 1]
        x = phi[[i for i in range(BATCH) if y[i] in classes]]
        sw = sum(torch.cov(phi[y == c].T) for c in classes) / len(classes) + self.ridge * torch.eye(WIDTH)
        sb = torch.cov(x.T) - sw
        inverse = torch.linalg.inv(torch.linalg.cholesky(sw))
        v = torch.linalg.eigvalsh(inverse @ sb @ inverse.T)[-min(len(classes) - 1, WIDTH):]
        return -v[v < v.min() + self.window].mean()


# name, options as in a job file, factor on the embeddings
CASES = [
    ("dro", Dro, {}, 0.25, 1),
    ("dro", Dro, {"variant": "paper", "epsilon": 0.25, "momentum": 0.5}, 1, 0.5),
    ("dro", Dro, {"epsilon": 0}, 0.01, 50),
    ("dro", Dro, {"variant": "public"}, 0.5, 1),
    ("dro", Dro, {"variant": "public", "epsilon": 2}, 1, 50),
    ("center", Center, {}, 0.003, 1),
    ("center", Center, {"rate": 0.25}, 1, 20),
    ("supcon", Supcon, {}, 1, 1),
    ("supcon", Supcon, {"temperature": 0.5}, 0.1, 30),
    ("supcon", Supcon, {"temperature": 0.001}, 1, 1),
    ("hybrid-sc", HybridSc, {}, 1, 1),
    ("triplet", Triplet, {}, 1, 1),
    ("triplet", Triplet, {"margin": 0.5}, 0.1, 20),
    ("triplet", Triplet, {"mining": "hardest"}, 1, 1),
    ("triplet", Triplet, {"mining": "hardest", "margin": 5}, 2, 0.5),
    ("spreadout", Spreadout, {}, 1, 1),
    ("spreadout", Spreadout, {}, 0.1, 50),
    ("range", Range, {}, 1, 0.5),
    ("range", Range, {"intra": 1, "inter": 0.25, "margin": 400}, 0.1, 4),
    ("range", Range, {"margin": 0}, 2, 1),
    ("contrastive-logit", ContrastiveLogit, {}, 1, 1),
    ("contrastive-logit", ContrastiveLogit, {}, 0.1, 0.5),
    ("lda", Lda, {}, 1, 1),
    ("lda", Lda, {"ridge": 0.5, "window": 0.3}, 0.1, 2),
    ("lda", Lda, {"ridge": 0.1, "window": 1000}, 1, 1),
]


def text(x, form="%.12g"):
    return "\n".join(textwrap.wrap(", ".join(form % v for v in x.reshape(-1).tolist()), 130, initial_indent="    ", subsequent_indent="    "))


def array(kind, name, x, form):
    print("static const %s %s[] = {\n%s,\n};" % (kind, name, text(x, form)))


def run(name, make, options, weight, factor):
    term, steps = make(**options), []
    for step in range(STEPS):
        phi = as_float32(EMBEDDINGS[step] * factor).requires_grad_(True)
        f, y = LOGITS[step].clone().requires_grad_(True), LABELS[step]
        of_logits, of_embeddings = term.mix(step)
        logit = of_logits * F.cross_entropy(f, y)
        embed = of_embeddings * weight * term.loss(phi, f, y, step)
        wanted = [phi, f] + term.parameters()
        gradients = torch.autograd.grad(logit + embed, wanted, allow_unused=True)
        gradients = [torch.zeros_like(w) if g is None else g for w, g in zip(wanted, gradients)]
        steps.append("{%.17g, %.17g, {\n%s}, {\n%s}}" % (float(logit), float(embed), text(gradients[0]), text(gradients[1])))
        term.update(phi.detach(), y, gradients[2:])
    job = "".join("\\n%s.%s = %s" % (name, k, str(v).lower()) for k, v in options.items())
    print('    {"%s", "[loss]\\nembed = %s\\nlambda = %.17g%s\\n", %.9g, {\n%s}},' % (name, name, weight, job, factor, ",\n".join(steps)))


print("/* Written by term_golden.py: embedding terms, losses and gradients from PyTorch in fp64. */")
print("/* clang-format off */")
print("#ifndef ELMPI_TESTS_TERM_GOLDEN_H\n#define ELMPI_TESTS_TERM_GOLDEN_H\n\n#include <stdint.h>\n")
print("enum { TERM_STEPS = %d, TERM_BATCH = %d, TERM_WIDTH = %d, TERM_CLASSES = %d };" % (STEPS, BATCH, WIDTH, CLASSES))
print("static const double term_lr = %.17g, term_epochs = %d;" % (LR, EPOCHS))
array("double", "term_passed", torch.tensor(PASSED), "%d")
array("int64_t", "term_counts", COUNTS, "%d")
array("int32_t", "term_labels", LABELS, "%d")
array("float", "term_embeddings", EMBEDDINGS, "%#.9gF")
array("float", "term_logits", LOGITS, "%#.9gF")
print(
    "\ntypedef struct term_step {\n    double logit_loss, embed_loss, embeddings_gradient[TERM_BATCH * TERM_WIDTH],\n"
    "        logits_gradient[TERM_BATCH * TERM_CLASSES];\n} term_step;\n"
)
print(
    "typedef struct term_golden {\n    const char *name, *job;\n    float factor; /* on the embeddings */\n"
    "    term_step step[TERM_STEPS];\n} term_golden;\n"
)
print("static const term_golden term_cases[] = {")
for case in CASES:
    run(*case)
print("};\n\n#endif")
