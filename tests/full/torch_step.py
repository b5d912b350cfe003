#!/usr/bin/python3
"""Times training steps of PyTorch as elmpi-bench times elmpi's: forward, cross-entropy, backward, allreduce, SGD, on synthetic images.

    torch_step.py --model cifar-resnet32|resnet50 --batch B [--precision fp32|bf16] [--ranks R] [--threads T] [--steps N]

Both memory layouts are tried; one line of JSON tells the better one's median images/s and the peak memory. More ranks: DDP over gloo.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="cifar-resnet32", choices=["cifar-resnet32", "resnet50"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--layout", default="best", choices=["best", "nchw", "nhwc"])
    return parser.parse_args()


def start_ranks(a, layout):
    """The last line that rank 0 prints, of as many processes as there are ranks."""
    processes = []
    for rank in range(a.ranks):
        there = dict(os.environ, RANK=str(rank), WORLD_SIZE=str(a.ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT="29555", OMP_NUM_THREADS=str(a.threads))
        command = [sys.executable, __file__, *sys.argv[1:], "--layout", layout]
        processes.append(subprocess.Popen(command, env=there, stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL, text=True))
    text = processes[0].communicate()[0]
    if any(p.wait() for p in processes):
        sys.exit("torch_step.py: a rank failed")
    return json.loads(text.splitlines()[-1])


def cifar_resnet(depth):
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.grows = (after - before) // 2

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.grows:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.grows, self.grows))
            return F.relu(x + y)

    layers, before = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for width in (16, 32, 64):
        for i in range((depth - 2) // 6):
            layers.append(Block(before, width, 2 if i == 0 and width > 16 else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 100))


def run_rank(a):
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    if a.model == "resnet50":
        import torchvision

        net, classes, side = torchvision.models.resnet50(), 1000, 224
    else:
        net, classes, side = cifar_resnet(32), 100, 32
    form = torch.channels_last if a.layout == "nhwc" else torch.contiguous_format
    net = net.to(memory_format=form).train()
    if a.ranks > 1:
        torch.distributed.init_process_group("gloo")
        net = torch.nn.parallel.DistributedDataParallel(net)
    sgd = torch.optim.SGD(net.parameters(), 1e-6, momentum=0.9, weight_decay=1e-4)
    x = torch.randn(a.batch // a.ranks, 3, side, side).to(memory_format=form)
    y = torch.randint(0, classes, (a.batch // a.ranks,))
    seconds = []
    for _ in range(a.steps + 2):
        begun = time.perf_counter()
        sgd.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
            loss = F.cross_entropy(net(x).float(), y)
        loss.backward()
        sgd.step()
        seconds.append(time.perf_counter() - begun)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"images_per_s": a.batch / statistics.median(seconds[2:]), "layout": a.layout, "peak_rss_mib": memory}))


def main():
    a = arguments()
    if "RANK" in os.environ:
        run_rank(a)
    else:
        layouts = ["nchw", "nhwc"] if a.layout == "best" else [a.layout]
        print(json.dumps(max((start_ranks(a, layout) for layout in layouts), key=lambda result: result["images_per_s"])))


main()
