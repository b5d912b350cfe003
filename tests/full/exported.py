#!/usr/bin/python3
"""What PyTorch, ONNX's checker and OpenCV make of exported files. Reads and writes safetensors by a few lines of its own.

    exported.py images FOLDER                           three classes of random images
    exported.py weights MODEL CHANNELS CLASSES FILE     a PyTorch network's random weights and statistics as safetensors
    exported.py input N,C,H,W FILE                      random float32 numbers
    exported.py compare MODEL SHAPE CLASSES INPUT LOGITS SAFETENSORS ONNX [WEIGHTS]
        elmpi's logits against PyTorch's (load_state_dict, strict) and OpenCV's; the exported weights against those that elmpi began with
    exported.py reproduce MODEL CLASSES FOLDER SAFETENSORS EMBEDDINGS
        elmpi's logits of a folder's images (elmpi-evaluate --embeddings, split val) against PyTorch's, which knows only what the metadata say
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    types = {"F32": np.float32, "I64": np.int64}
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        tensors[name] = torch.tensor(np.frombuffer(data[begin:end], types[t["dtype"]]).reshape(t["shape"]))
    return tensors, metadata


def write_safetensors(path, tensors):
    header, blocks, place = {}, [], 0
    for name, t in tensors.items():
        block = t.detach().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[t.dtype]
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [place, place + len(block)]}
        place += len(block)
        blocks.append(block)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blocks))


class Basic(nn.Module):
    """He et al. 2016, option A: every second pixel, zero channels on both sides."""

    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside)
        self.conv2, self.bn2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside)
        self.stride, self.extra = stride, (outside - inside) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.extra, self.extra)))


class Menon(nn.Module):
    """The public logit-adjustment code's block: 1x1, 3x3, 1x1 of equal width; a convolution shortcut in each stage's first."""

    def __init__(self, inside, outside, stride, first):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside)
        self.conv2, self.bn2 = nn.Conv2d(outside, outside, 3, stride, bias=False), nn.BatchNorm2d(outside)
        self.conv3, self.bn3 = nn.Conv2d(outside, outside, 1, bias=False), nn.BatchNorm2d(outside)
        self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)) if first else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        stride = self.conv2.stride[0]
        total = max((-(-y.shape[2] // stride) - 1) * stride + 3 - y.shape[2], 0)
        y = F.pad(y, (total // 2, total - total // 2) * 2)  # TensorFlow's "same": the odd pixel behind
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (self.downsample(x) if self.downsample else x))


class Cifar(nn.Module):
    def __init__(self, depth, channels, classes, menon=False, cosine=False):
        super().__init__()
        self.menon, self.cosine = menon, cosine
        self.conv1, self.bn1 = nn.Conv2d(channels, 16, 3, 1, 3 if menon else 1, bias=False), nn.BatchNorm2d(16)
        inside = 16
        for stage in range(3):
            blocks, outside = [], 16 << stage
            for b in range((depth - 2) // 6):
                stride = 2 if stage and not b else 1
                blocks.append(Menon(inside, outside, stride, not b) if menon else Basic(inside, outside, stride))
                inside = outside
            setattr(self, "layer%d" % (stage + 1), nn.Sequential(*blocks))
        if menon:
            self.bn_last = nn.BatchNorm2d(64)
        self.fc = nn.Linear(64, classes, bias=not cosine)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        x = (self.bn_last(x) if self.menon else x).mean((2, 3))
        return F.linear(F.normalize(x), F.normalize(self.fc.weight)) if self.cosine else self.fc(x)


class Perceptron(nn.Module):
    def __init__(self, widths, inside, classes):
        super().__init__()
        self.hidden = []
        for i, width in enumerate(widths):
            setattr(self, "hidden%d" % i, nn.Linear(inside, width))
            self.hidden.append("hidden%d" % i)
            inside = width
        self.fc = nn.Linear(inside, classes)

    def forward(self, x):
        x = x.flatten(1)
        for name in self.hidden:
            x = F.relu(getattr(self, name)(x))
        return self.fc(x)


def network(model, shape, classes):
    """MODEL, with +cosine behind it for a cosine last layer."""
    name, _, head = model.partition("+")
    if name.startswith("mlp:"):
        return Perceptron([int(w) for w in name[4:].split(",")], int(np.prod(shape)), classes)
    if name == "cifar-resnet32-menon":
        return Cifar(32, shape[0], classes, menon=True)
    if name.startswith("cifar-resnet"):
        return Cifar(int(name[12:]), shape[0], classes, cosine=head == "cosine")
    import torchvision
    return getattr(torchvision.models, name)(num_classes=classes)


def images(folder):
    from PIL import Image
    rng = np.random.default_rng(0)
    for c in range(3):
        for part, count in (("train", 12), ("val", 2)):
            where = os.path.join(folder, part, "class%d" % c)
            os.makedirs(where)
            for i in range(count):
                Image.fromarray(rng.integers(0, 255, (80, 72, 3), dtype=np.uint8)).save(os.path.join(where, "%d.jpg" % i))


def weights(model, channels, classes, path):
    torch.manual_seed(1)
    net = network(model, (channels, 8, 8), classes)
    state = net.state_dict()
    for name, t in state.items():
        if name.endswith("running_mean"):
            t.normal_(0, 0.2)
        elif name.endswith("running_var"):
            t.uniform_(0.5, 2)
        elif t.dim() == 1 and name.endswith("weight"):
            t.uniform_(0.5, 1.2)
        elif name.endswith("bias"):
            t.normal_(0, 0.1)
    write_safetensors(path, state)


failed = 0


def check(what, a, b):
    global failed
    apart = float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max() / np.abs(np.asarray(b)).max())
    if not (apart <= 1e-4 and np.asarray(b).std() > 0):
        failed = 1
    print("%s%s %.1e" % ("" if apart <= 1e-4 else "FAILED: ", what, apart), end="  ")


def compare(model, shape, classes, input_path, logits_path, tensors_path, onnx_path, began=None):
    import cv2
    import onnx
    x = np.fromfile(input_path, np.float32).reshape([-1] + shape)
    logits = np.fromfile(logits_path, np.float32).reshape(len(x), classes)
    tensors, metadata = read_safetensors(tensors_path)
    assert metadata["format"] == "pt" and len(json.loads(metadata["classes"])) == classes
    net = network(model, shape, classes)
    net.load_state_dict(tensors, strict=True)
    net.eval()
    print(model, end="  ")
    with torch.no_grad():
        check("torch", net(torch.tensor(x)).numpy(), logits)
    if began:
        for name, t in read_safetensors(began)[0].items():
            assert name.endswith("num_batches_tracked") or torch.equal(t, tensors[name]), name
    proto = onnx.load(onnx_path)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.opset_import[0].version == 13 and proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {p.key: p.value for p in proto.metadata_props} == metadata
    reader = cv2.dnn.readNetFromONNX(onnx_path)
    reader.setInput(x)
    check("opencv", reader.forward(), logits)
    reader.setInput(x[:1])
    check("opencv, one image", reader.forward(), logits[:1])
    print()


def reproduce(model, classes, folder, tensors_path, embeddings_path):
    import glob
    import h5py
    from PIL import Image
    from torchvision.transforms import InterpolationMode, functional
    tensors, metadata = read_safetensors(tensors_path)
    assert metadata["interpolation"] == "bilinear, antialias"
    resize, crop = int(metadata["resize"]), int(metadata["crop"])
    mean, std = json.loads(metadata["mean"]), json.loads(metadata["std"])
    paths = [p for c in json.loads(metadata["classes"]) for p in sorted(glob.glob(os.path.join(folder, "val", c, "*")))]
    net = network(model, (3, crop, crop), classes)
    net.load_state_dict(tensors, strict=True)
    net.eval()

    def logits_with(side):
        x = []
        for p in paths:
            image = torch.tensor(np.array(Image.open(p).convert("RGB"))).permute(2, 0, 1).float()
            image = functional.resize(image, [side], InterpolationMode.BILINEAR, antialias=True)
            x.append(functional.normalize(functional.center_crop(image, [crop]) / 255, mean, std))
        with torch.no_grad():
            return net(torch.stack(x)).numpy()

    with h5py.File(embeddings_path) as file:
        names = [n.decode() if isinstance(n, bytes) else n for n in file["/val/name"][...]] if "/val/name" in file else None
        logits = file["/val/logits"][...]
    if names:
        order = {os.path.basename(os.path.dirname(n)) + "/" + os.path.basename(n): i for i, n in enumerate(names)}
        logits = logits[[order["/".join(p.split("/")[-2:])] for p in paths]]
    print(model, "resize", resize, "crop", crop, end="  ")
    check("as the metadata say", logits_with(resize), logits)
    other = np.abs(logits_with(resize + 1) - logits).max() / np.abs(logits).max()
    print("one pixel more: %.1e" % other)
    assert other > 1e-3, "the comparison does not see the resize"


command, words = sys.argv[1], sys.argv[2:]
if command == "images":
    images(words[0])
elif command == "weights":
    weights(words[0], int(words[1]), int(words[2]), words[3])
elif command == "input":
    np.random.default_rng(2).standard_normal([int(n) for n in words[0].split(",")]).astype(np.float32).tofile(words[1])
elif command == "reproduce":
    reproduce(words[0], int(words[1]), *words[2:])
else:
    compare(words[0], [int(n) for n in words[1].split(",")], int(words[2]), *words[3:])
sys.exit(failed)
