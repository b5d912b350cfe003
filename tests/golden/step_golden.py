#!/usr/bin/python3
"""Writes step_golden.h: one whole training step computed by PyTorch in fp64, for tests/mpi/test_step.c.

    /usr/bin/python3 tests/golden/step_golden.py > tests/golden/step_golden.h

cifar-resnet8 on hashed images (pseudo.h), all scopes of BatchNorm, cross-entropy, logit adjustment, LDAM-DRW (cosines) or class-balanced
focal loss, with and without ELM's pull term, SGD with weight decay 0.01
(not on BatchNorm). Loss and updates must come out on any number of ranks. Needs python3-torch.
"""
import torch
import torch.nn.functional as F

from nn_golden import Net, emit, pseudo, rows

COUNTS = torch.tensor([120.0, 60.0, 30.0, 12.0, 4.0])
LABELS = [0, 1, 0, 2, 1, 0, 3, 0, 2, 4, 1, 0, 0]
RATE, DECAY, SIDE = 0.1, 0.01, 8


def pull(phi, labels, alpha):
    """ELM's embedding margin: log(1 + sum over same-class others of exp(||phi - phi+||^2 - alpha_y)), anchor by anchor."""
    terms = []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if j != i and labels[j] == labels[i]]
        if others:
            d = ((phi[i] - phi[others]) ** 2).sum(1) - alpha[labels[i]]
            terms.append(torch.logsumexp(torch.cat([torch.zeros(1), d]), 0))
    return sum(terms, torch.zeros(()))


def class_balanced(beta):
    w = (1 - beta) / (1 - beta**COUNTS)
    return w * len(COUNTS) / w.sum()


def logit_loss_of(adjust, f, labels):
    """LDAM after drw's switch (margin 0.5, scale 30, beta 0.9999), class-balanced focal loss (gamma 1), or cross-entropy of logits adjusted by as much."""
    onehot = F.one_hot(labels, len(COUNTS))
    if adjust == "ldam-drw":
        margin = COUNTS**-0.25 / (COUNTS**-0.25).max() * 0.5
        return F.cross_entropy(30 * (f - margin * onehot), labels, weight=class_balanced(0.9999))
    if adjust == "cb-focal":
        p = torch.sigmoid(f)
        focal = torch.where(onehot > 0, -(1 - p) * p.log(), -p * (1 - p).log()).sum(1)
        return (class_balanced(0.9999)[labels] * focal).sum() / len(labels)
    return F.cross_entropy(f + adjust * torch.log(COUNTS / COUNTS.sum()), labels)


def lengths(loss, phi, labels):
    """Sums of the length of the loss's gradient at the images' embeddings, each image's own (times B): head, torso, tail."""
    length = torch.autograd.grad(loss, phi, retain_graph=True)[0].norm(dim=1) * len(labels) if loss.requires_grad else torch.zeros(len(labels))
    count = COUNTS[labels]
    return torch.stack([length[group].sum() for group in (count >= 100, (count >= 20) & (count < 100), count < 20)])


def step(title, images, adjust, weight, alpha, groups=None):
    net, labels = Net(groups), LABELS[:images]
    x = net.norm(net.conv(pseudo(1, (images, 3, SIDE, SIDE)), "conv1", 16, 3, 1, 1), "bn1")
    for stage in range(3):
        x = net.basic(x, "layer%d.0" % (stage + 1), 16 << stage, 2 if stage else 1)
    phi, logits = net.head(x, len(COUNTS), adjust == "ldam-drw")
    logit_loss = logit_loss_of(adjust, logits, torch.tensor(labels))
    embed_loss = weight * pull(phi, labels, alpha) / images
    emit(title + ".embed_gradient", lengths(embed_loss, phi, labels))
    emit(title + ".gradient", lengths(logit_loss + embed_loss, phi, labels))
    (logit_loss + embed_loss).backward()
    emit(title + ".logit_loss", logit_loss.reshape(1))
    emit(title + ".embed_loss", embed_loss.reshape(1))
    updates = []
    for name, p in net.parameters.items():
        decay = 0 if "bn" in name else DECAY
        update = -RATE * (p.grad + decay * p.detach())
        updates.append(update.reshape(-1))
        emit(title + ".update." + name, update)
    emit(title + ".update", torch.cat(updates))
    for name, s in net.states.items():
        emit(title + ".state." + name, s)


prior = COUNTS / COUNTS.sum()
for n in (13, 5, 2):  # uneven on 2, 3 and 4 ranks; two images leave ranks empty
    step("ce-%d" % n, n, 0, 0, COUNTS)
    step("logadj-%d" % n, n, 1, 0, COUNTS)
    step("elm-%d" % n, n, 1, 0.01, COUNTS.sqrt())
    step("elm-strong-%d" % n, n, 1, 1, prior.sqrt())
    step("ldam-drw-%d" % n, n, "ldam-drw", 0, COUNTS)
    step("cb-focal-%d" % n, n, "cb-focal", 0, COUNTS)
step("group-13", 13, 1, 1, prior.sqrt(), [5, 5, 3])  # bn = group:5
for ranks in (1, 2, 3, 4):  # bn = rank
    step("rank-%d-13" % ranks, 13, 1, 1, prior.sqrt(), [13 // ranks + (r < 13 % ranks) for r in range(ranks)])

print("/* Made by step_golden.py with PyTorch %s in fp64. Do not edit. */" % torch.__version__)
print('#include "golden/pseudo.h"\n')
print("static const golden step_golden[] = {")
print("\n".join(rows))
print("};")
