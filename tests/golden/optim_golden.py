#!/usr/bin/python3
"""Writes optim_golden.h: steps of torch.optim.SGD and AdamW in fp64, of LARS as its paper has it, moving averages and learning rates of torch's schedulers, for tests/unit/test_optim.c.

    /usr/bin/python3 tests/golden/optim_golden.py > tests/golden/optim_golden.h

Needs python3-torch.
"""
import math
import textwrap

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, MultiStepLR

torch.set_default_dtype(torch.float64)
torch.manual_seed(21)

STEPS, DECAYED, PLAIN = 5, 7, 4  # weights in two groups: decayed and not
COUNT = DECAYED + PLAIN

# rate, momentum, nesterov, weight decay
SGD_CASES = [
    (0.1, 0.9, False, 0.01),
    (0.1, 0.9, True, 0.01),
    (0.4, 0.9, False, 1e-4),
    (0.05, 0, False, 0.1),
    (0.2, 0.5, True, 0),
]

# rate, betas, epsilon, weight decay
ADAMW_CASES = [
    (0.001, 0.9, 0.999, 1e-8, 0.05),
    (0.1, 0.5, 0.9, 1e-3, 0.2),
    (0.01, 0, 0, 1e-8, 0),
]

# rate, momentum, trust, weight decay
LARS_CASES = [
    (10, 0.9, 0.001, 1e-4),
    (1, 0.5, 0.02, 0.1),
    (0.3, 0, 1, 0),
]

# bound on the gradient's length, rate, momentum, weight decay
CLIP_CASES = [
    (1.5, 0.1, 0.9, 0.01),
    (3.2, 0.4, 0, 0.1),
    (1e3, 0.1, 0.9, 0.01),
]

# schedule, rate, epochs, warm-up, milestones, gamma; 10 steps an epoch. Milestones are whole steps in PyTorch: the first step at or after.
STEPS_PER_EPOCH = 10
SCHEDULE_CASES = [
    ("constant", 0.1, 3, 0, [], 1),
    ("constant", 0.4, 3, 1.5, [], 1),
    ("multistep", 0.4, 3, 0.55, [1.25, 2.1], 0.1),
    ("multistep", 0.1, 2.45, 0.7, [0.7, 1.1, 2.3], 0.2),
    ("cosine", 0.4, 3, 0, [], 1),
    ("cosine", 0.4, 2.45, 1.25, [], 1),
]


def as_float32(x):
    return x.to(torch.float32).to(torch.float64)


WEIGHTS = as_float32(torch.randn(COUNT))
GRADIENTS = as_float32(torch.randn(STEPS, COUNT))


def train(lr, momentum, nesterov, decay):
    groups = [WEIGHTS[:DECAYED].clone().requires_grad_(True), WEIGHTS[DECAYED:].clone().requires_grad_(True)]
    optimizer = torch.optim.SGD(
        [{"params": groups[0], "weight_decay": decay}, {"params": groups[1], "weight_decay": 0}], lr=lr, momentum=momentum, nesterov=nesterov
    )
    for step in range(STEPS):
        groups[0].grad, groups[1].grad = GRADIENTS[step, :DECAYED].clone(), GRADIENTS[step, DECAYED:].clone()
        optimizer.step()
    return torch.cat(groups).detach()


def train_clipped(bound, lr, momentum, decay):
    groups = [WEIGHTS[:DECAYED].clone().requires_grad_(True), WEIGHTS[DECAYED:].clone().requires_grad_(True)]
    optimizer = torch.optim.SGD([{"params": groups[0], "weight_decay": decay}, {"params": groups[1], "weight_decay": 0}], lr=lr, momentum=momentum)
    norms = []
    for step in range(STEPS):
        groups[0].grad, groups[1].grad = GRADIENTS[step, :DECAYED].clone(), GRADIENTS[step, DECAYED:].clone()
        norms.append(float(torch.nn.utils.clip_grad_norm_(groups, bound)))
        optimizer.step()
    return torch.cat(groups).detach(), norms


def train_adamw(lr, beta1, beta2, epsilon, decay):
    groups = [WEIGHTS[:DECAYED].clone().requires_grad_(True), WEIGHTS[DECAYED:].clone().requires_grad_(True)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": decay}, {"params": groups[1], "weight_decay": 0}], lr=lr, betas=(beta1, beta2), eps=epsilon
    )
    for step in range(STEPS):
        groups[0].grad, groups[1].grad = GRADIENTS[step, :DECAYED].clone(), GRADIENTS[step, DECAYED:].clone()
        optimizer.step()
    return torch.cat(groups).detach()


def train_lars(lr, momentum, trust, decay):
    """Algorithm 1 of You et al. 2017 with equation 6's trust coefficient: the first tensor decayed, a second of two dimensions without decay and
    a vector, whose lambda is 1."""
    parts = [(slice(0, DECAYED), decay, False), (slice(DECAYED, DECAYED + 2), 0, False), (slice(DECAYED + 2, COUNT), decay, True)]
    weights, speed = WEIGHTS.clone(), torch.zeros(COUNT)
    for step in range(STEPS):
        for part, beta, vector in parts:
            w, g = weights[part], GRADIENTS[step, part]
            local = 1 if vector else trust * w.norm() / (g.norm() + beta * w.norm())
            speed[part] = momentum * speed[part] + lr * local * (g + beta * w)
            weights[part] = w - speed[part]
    return weights


def averaged(decay):
    average = WEIGHTS.clone()
    for step in range(STEPS):
        average.lerp_(GRADIENTS[step], 1 - decay)
    return average


def rates(schedule, lr, epochs, warmup, milestones, gamma):
    total = math.ceil(epochs * STEPS_PER_EPOCH - 1e-9)
    parameter = torch.zeros(1, requires_grad=True)
    main, warm = torch.optim.SGD([parameter], lr=lr), torch.optim.SGD([parameter], lr=1)
    first_steps = [math.ceil(m * STEPS_PER_EPOCH - 1e-9) for m in milestones]
    schedulers = {
        "constant": lambda: LambdaLR(main, lambda s: 1),
        "multistep": lambda: MultiStepLR(main, first_steps, gamma),
        "cosine": lambda: CosineAnnealingLR(main, total),
    }
    both = [schedulers[schedule](), LambdaLR(warm, lambda s: min(1, (s + 1) / (warmup * STEPS_PER_EPOCH)) if warmup else 1)]
    made = []
    for _ in range(total):
        made.append(main.param_groups[0]["lr"] * warm.param_groups[0]["lr"])
        for optimizer, scheduler in zip((main, warm), both):
            optimizer.step()
            scheduler.step()
    return made


def text(values, form):
    return "\n".join(textwrap.wrap(", ".join(form % v for v in values), 130, initial_indent="    ", subsequent_indent="    "))


print("/* Written by optim_golden.py: torch.optim.SGD in fp64 and torch's schedulers. */")
print("/* clang-format off */")
print("#ifndef ELMPI_TESTS_OPTIM_GOLDEN_H\n#define ELMPI_TESTS_OPTIM_GOLDEN_H\n\n#include <stdbool.h>\n")
print("enum { GOLDEN_STEPS = %d, GOLDEN_DECAYED = %d, GOLDEN_COUNT = %d };\n" % (STEPS, DECAYED, COUNT))
print("static const float golden_weights[] = {\n%s,\n};" % text(WEIGHTS.tolist(), "%#.9gF"))
print("static const float golden_gradients[] = {\n%s,\n};\n" % text(GRADIENTS.reshape(-1).tolist(), "%#.9gF"))
print("static const struct sgd_golden {\n    double lr, momentum;\n    bool nesterov;\n    double weight_decay, weights[GOLDEN_COUNT];")
print("} golden_sgd_cases[] = {")
for lr, momentum, nesterov, decay in SGD_CASES:
    values = text(train(lr, momentum, nesterov, decay).tolist(), "%.15g")
    print("    {%.17g, %.17g, %s, %.17g, {\n%s}}," % (lr, momentum, str(nesterov).lower(), decay, values))
print("};\n")
print("static const struct adamw_golden {\n    double lr, beta1, beta2, epsilon, weight_decay, weights[GOLDEN_COUNT];")
print("} golden_adamw_cases[] = {")
for case in ADAMW_CASES:
    print("    {%s, {\n%s}}," % (", ".join("%.17g" % v for v in case), text(train_adamw(*case).tolist(), "%.15g")))
print("};\n")
print("static const struct lars_golden {\n    double lr, momentum, trust, weight_decay, weights[GOLDEN_COUNT];")
print("} golden_lars_cases[] = {")
for case in LARS_CASES:
    print("    {%s, {\n%s}}," % (", ".join("%.17g" % v for v in case), text(train_lars(*case).tolist(), "%.15g")))
print("};\n")
print("static const struct clip_golden {\n    double bound, lr, momentum, weight_decay, norms[GOLDEN_STEPS], weights[GOLDEN_COUNT];")
print("} golden_clip_cases[] = {")
for bound, lr, momentum, decay in CLIP_CASES:
    weights, norms = train_clipped(bound, lr, momentum, decay)
    print("    {%.17g, %.17g, %.17g, %.17g, {\n%s}, {\n%s}}," % (bound, lr, momentum, decay, text(norms, "%.15g"), text(weights.tolist(), "%.15g")))
print("};\n")
print("/* The average begins as the weights and follows the gradients, in place of any other values. */")
print("static const struct average_golden {\n    double decay, average[GOLDEN_COUNT];\n} golden_average_cases[] = {")
for decay in (0.5, 0.9, 0.9998):
    print("    {%.17g, {\n%s}}," % (decay, text(averaged(decay).tolist(), "%.15g")))
print("};\n")
most = max(math.ceil(case[2] * STEPS_PER_EPOCH) for case in SCHEDULE_CASES)
print("enum { GOLDEN_STEPS_PER_EPOCH = %d };\n" % STEPS_PER_EPOCH)
print("static const struct schedule_golden {\n    const char *schedule;\n    double lr, epochs, warmup;\n    int milestone_count;")
print("    double milestones[3], gamma;\n    int steps;\n    double rates[%d];\n} golden_schedule_cases[] = {" % most)
for case in SCHEDULE_CASES:
    schedule, lr, epochs, warmup, milestones, gamma = case
    made = rates(*case)
    times = ", ".join("%.17g" % m for m in milestones + [0] * (3 - len(milestones)))
    print('    {"%s", %.17g, %.17g, %.17g, %d, {%s}, %.17g, %d, {' % (schedule, lr, epochs, warmup, len(milestones), times, gamma, len(made)))
    print("%s}}," % text(made, "%.15g"))
print("};\n\n#endif")
