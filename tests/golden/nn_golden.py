#!/usr/bin/python3
"""Writes nn_golden.h: layers and networks computed by PyTorch in fp64, for tests/unit/test_layers.c and test_networks.c.

    /usr/bin/python3 tests/golden/nn_golden.py > tests/golden/nn_golden.h

Inputs come from the integer hash of pseudo.h, so no tensor is stored; each result is given by its products with three directions and its length.
Needs python3-torch and python3-torchvision.
"""
import numpy as np
import torch
import torch.nn.functional as F
import torchvision

torch.set_default_dtype(torch.float64)


def pseudo(stream, shape, scale=1.0, offset=0.0):
    count = int(np.prod(shape))
    m = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(stream * 2246822519 % 2**32) + np.uint64(374761393)) & m
    h ^= h >> np.uint64(15)
    h = h * np.uint64(2246822519) & m
    h ^= h >> np.uint64(13)
    h = h * np.uint64(3266489917) & m
    h ^= h >> np.uint64(16)
    u = (h.astype(np.float64) / 2147483648.0 - 1).astype(np.float32)
    x = np.float32(offset) + np.float32(scale) * u
    return torch.tensor(x.astype(np.float64).reshape(shape))


rows = []


def emit(name, x):
    flat = x.detach().reshape(-1)
    values = [float((flat * pseudo(1000 + d, flat.shape)).sum()) for d in range(3)] + [float(flat.norm())]
    rows.append('    {"%s", {%s}},' % (name, ", ".join("%.17g" % v for v in values)))


def leaf(x):
    return x.clone().requires_grad_(True)


def conv(name, n, cin, side, cout, kernel, stride, padding):
    x, w = leaf(pseudo(1, (n, cin, side, side))), leaf(pseudo(2, (cout, cin, kernel, kernel)))
    y = F.conv2d(x, w, stride=stride, padding=padding)
    y.backward(pseudo(3, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad), emit(name + ".dw", w.grad)


def norm(name, n, c, side, groups, relu, residual):
    shape = (n, c, side, side)
    x, r = leaf(pseudo(1, shape, 2, 3)), leaf(pseudo(4, shape))
    gamma, beta = leaf(pseudo(5, (c,), 0.5, 1)), leaf(pseudo(6, (c,), 0.5))
    parts, first, mean, var = [], 0, torch.zeros(c), torch.ones(c)
    batch_mean, batch_var = torch.zeros(c), torch.zeros(c)
    for g in groups:
        part = x[first:first + g]
        parts.append(F.batch_norm(part, None, None, gamma, beta, True, 0.1, 1e-5))
        count = g * side * side
        batch_mean += part.detach().mean((0, 2, 3)) * g / n
        batch_var += part.detach().var((0, 2, 3), unbiased=False) * count / (count - 1) * g / n
        first += g
    y = torch.cat(parts)
    y = y + r if residual else y
    y = F.relu(y) if relu else y
    y.backward(pseudo(3, shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad), emit(name + ".dgamma", gamma.grad), emit(name + ".dbeta", beta.grad)
    emit(name + ".mean", 0.9 * mean + 0.1 * batch_mean), emit(name + ".var", 0.9 * var + 0.1 * batch_var)
    if residual:
        emit(name + ".dr", r.grad)


def shortcut(name, n, cin, side, cout, stride):
    x = leaf(pseudo(1, (n, cin, side, side)))
    extra = (cout - cin) // 2
    y = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, extra, extra))
    y.backward(pseudo(3, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad)


def pool(name, n, c, side):
    x = leaf(pseudo(1, (n, c, side, side)))
    y = x.mean((2, 3))
    y.backward(pseudo(3, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad)


def maxpool(name, n, c, side):
    """Few different values, so that windows hold ties; the output has two consumers."""
    x = leaf(torch.round(pseudo(1, (n, c, side, side), 2)))
    y = F.max_pool2d(x, 3, 2, 1)
    y.backward(pseudo(3, y.shape) + pseudo(8, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad)


def linear(name, n, cin, cout):
    x, w, b = leaf(pseudo(1, (n, cin))), leaf(pseudo(2, (cout, cin))), leaf(pseudo(7, (cout,)))
    y = F.relu(F.linear(x, w, b))
    y.backward(pseudo(3, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad), emit(name + ".dw", w.grad), emit(name + ".db", b.grad)


def cosine(name, n, cin, cout):
    x, w = leaf(pseudo(1, (n, cin), 3)), leaf(pseudo(2, (cout, cin), 0.5))
    y = F.linear(F.normalize(x), F.normalize(w))
    y.backward(pseudo(3, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad), emit(name + ".dw", w.grad)


def same(x, kernel, stride):
    """Padded as TensorFlow's 'same': the odd pixel behind."""
    total = max((-(-x.shape[2] // stride) - 1) * stride + kernel - x.shape[2], 0)
    return F.pad(x, (total // 2, total - total // 2) * 2)


def conv_same(name, n, cin, side, cout, kernel, stride):
    x, w = leaf(pseudo(1, (n, cin, side, side))), leaf(pseudo(2, (cout, cin, kernel, kernel)))
    y = F.conv2d(same(x, kernel, stride), w, stride=stride)
    y.backward(pseudo(3, y.shape))
    emit(name + ".y", y), emit(name + ".dx", x.grad), emit(name + ".dw", w.grad)


class Net:
    """Parameters by name, made on first use from the hash: streams 100, 101, ... in the order of use. `groups`: images that BatchNorm normalises
    together, one run after the other; none: all of them. Running statistics are the groups' mean, weighted by images."""

    def __init__(self, groups=None):
        self.parameters, self.states, self.groups = {}, {}, groups

    def parameter(self, name, shape, scale, offset=0.0):
        self.parameters[name] = leaf(pseudo(100 + len(self.parameters), shape, scale, offset))
        return self.parameters[name]

    def conv(self, x, name, cout, kernel, stride, padding):
        w = self.parameter(name + ".weight", (cout, x.shape[1], kernel, kernel), 1.5 / (x.shape[1] * kernel * kernel) ** 0.5)
        return F.conv2d(x, w, stride=stride, padding=padding)

    def norm(self, x, name, residual=None, relu=True):
        c = x.shape[1]
        gamma, beta = self.parameter(name + ".weight", (c,), 0.25, 1), self.parameter(name + ".bias", (c,), 0.25)
        parts, first, running = [], 0, [torch.zeros(c), torch.zeros(c)]
        for images in self.groups or [len(x)]:
            own = [torch.zeros(c), torch.ones(c)]
            parts.append(F.batch_norm(x[first:first + images], own[0], own[1], gamma, beta, True, 0.1, 1e-5))
            running = [r + o * images / len(x) for r, o in zip(running, own)]
            first += images
        y = torch.cat(parts)
        self.states[name + ".running_mean"], self.states[name + ".running_var"] = running
        y = y if residual is None else y + residual
        return F.relu(y) if relu else y

    def basic(self, x, name, cout, stride):
        y = self.norm(self.conv(x, name + ".conv1", cout, 3, stride, 1), name + ".bn1")
        y = self.conv(y, name + ".conv2", cout, 3, 1, 1)
        if stride > 1 or x.shape[1] != cout:
            extra = (cout - x.shape[1]) // 2
            x = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, extra, extra))
        return self.norm(y, name + ".bn2", x)

    def bottleneck(self, x, name, cout, stride):
        r = x
        if name.endswith(".0"):
            r = self.norm(self.conv(x, name + ".downsample.0", cout, 1, stride, 0), name + ".downsample.1", relu=False)
        y = self.norm(self.conv(x, name + ".conv1", cout, 1, 1, 0), name + ".bn1")
        y = self.norm(self.conv(same(y, 3, stride), name + ".conv2", cout, 3, stride, 0), name + ".bn2")
        return self.norm(self.conv(y, name + ".conv3", cout, 1, 1, 0), name + ".bn3", r)

    def head(self, x, classes, cosine=False):
        phi = x.mean((2, 3))
        if cosine:
            return phi, F.linear(F.normalize(phi), F.normalize(self.parameter("fc.weight", (classes, phi.shape[1]), 0.3)))
        w, b = self.parameter("fc.weight", (classes, phi.shape[1]), 0.3), self.parameter("fc.bias", (classes,), 0.3)
        return phi, F.linear(phi, w, b)


def emit_network(title, phi, logits, parameters, states):
    loss = (phi * pseudo(3, phi.shape)).sum() + 0.5 * (phi ** 2).sum() + (logits * pseudo(4, logits.shape)).sum() + 0.5 * (logits ** 2).sum()
    loss.backward()
    emit(title + ".phi", phi), emit(title + ".logits", logits)
    for name, p in parameters.items():
        emit(title + ".gradient." + name, p.grad)
    for name, s in states.items():
        emit(title + ".state." + name, s)


def network(title, block, blocks, stem_padding, last_norm, n, side, classes, cosine=False):
    net = Net()
    x = net.norm(net.conv(pseudo(1, (n, 3, side, side)), "conv1", 16, 3, 1, stem_padding), "bn1")
    for stage in range(3):
        for b in range(blocks):
            x = getattr(net, block)(x, "layer%d.%d" % (stage + 1, b), 16 << stage, 2 if stage and not b else 1)
    if last_norm:
        x = net.norm(x, "bn_last", relu=False)
    phi, logits = net.head(x, classes, cosine)
    emit_network(title, phi, logits, net.parameters, net.states)


def elmpi_order(names):
    """elmpi's parameters lie in the order in which its layers run, and a block's shortcut runs first."""
    ordered = []
    for name in names:
        place = len(ordered)
        if ".downsample" in name:
            block = name.split("downsample")[0]
            place = next(i for i, other in enumerate(ordered) if other.startswith(block) and "downsample" not in other)
        ordered.insert(place, name)
    return ordered


def torchvision_network(title, n, side, classes):
    model = getattr(torchvision.models, title)(num_classes=classes)
    parameters = dict(model.named_parameters())
    parameters = {name: parameters[name] for name in elmpi_order(list(parameters))}
    with torch.no_grad():
        for place, (name, p) in enumerate(parameters.items()):
            gamma, norm = p.dim() == 1 and name.endswith("weight"), p.dim() == 1 and name != "fc.bias"
            scale = 1.5 / p[0].numel() ** 0.5 if p.dim() == 4 else 0.25 if norm else 0.3
            p.copy_(pseudo(100 + place, p.shape, scale, 1 if gamma else 0))
    seen = []
    model.fc.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    logits = model(pseudo(1, (n, 3, side, side)))
    emit_network(title, seen[0], logits, parameters, {k: v for k, v in model.named_buffers() if "running" in k})


def state_names(title):
    """Names and shapes of a torchvision model, as its state_dict has them (but for the counters of batches, which elmpi has no use for)."""
    state = getattr(torchvision.models, title)().state_dict()
    return ['    {"%s", "%s", {%s}},' % (title, name, ", ".join(map(str, v.shape))) for name, v in state.items() if "num_batches" not in name]


def main():
    conv("conv-stem", 3, 3, 8, 16, 3, 1, 1)
    conv("conv-3x3-stride-2", 3, 16, 8, 32, 3, 2, 1)
    conv("conv-1x1-stride-2", 3, 16, 9, 32, 1, 2, 0)
    conv("conv-1x1", 2, 32, 5, 16, 1, 1, 0)
    conv("conv-padding-3", 2, 3, 8, 16, 3, 1, 3)
    conv_same("conv-same-stride-2", 3, 16, 8, 32, 3, 2)
    norm("norm", 4, 16, 6, [4], False, False)
    norm("norm-relu", 4, 32, 7, [4], True, False)
    norm("norm-residual-relu", 4, 16, 6, [4], True, True)
    norm("norm-groups", 4, 16, 3, [3, 1], True, True)
    shortcut("shortcut", 3, 16, 8, 32, 2)
    pool("pool", 3, 32, 5)
    maxpool("maxpool", 3, 32, 9)
    linear("linear", 4, 7, 5)
    cosine("cosine", 4, 7, 5)
    network("resnet8", "basic", 1, 1, False, 6, 8, 5)
    network("resnet8-cosine", "basic", 1, 1, False, 6, 8, 5, True)
    network("menon", "bottleneck", 5, 3, True, 6, 12, 5)
    torchvision_network("resnet18", 4, 64, 5)
    torchvision_network("resnet50", 4, 96, 5)

    print("/* Made by nn_golden.py with PyTorch %s in fp64 and torchvision %s. Do not edit. */" % (torch.__version__, torchvision.__version__))
    print('#include "golden/pseudo.h"\n')
    print("static const golden nn_golden[] = {")
    print("\n".join(rows))
    print("};\n")
    print("static const struct torchvision_tensor {\n    const char *model, *name;\n    int64_t shape[4];\n} torchvision_tensors[] = {")
    print("\n".join(state_names("resnet18") + state_names("resnet50")))
    print("};")


if __name__ == "__main__":
    main()
