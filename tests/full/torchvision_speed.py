#!/usr/bin/python3
"""The same work by torchvision on one core: torchvision_speed.py FOLDER IMAGES [CROP].

ImageFolder, RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize, in the calling process, without batching. The last line is
"images_per_cpu_second <number>".
"""
import random
import sys
import time

import torch
from torchvision import datasets, transforms

torch.set_num_threads(1)
crop = int(sys.argv[3]) if len(sys.argv) > 3 else 224
steps = transforms.Compose([
    transforms.RandomResizedCrop(crop),
    transforms.RandomHorizontalFlip(),
    transforms.ToTensor(),
    transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
])
images = datasets.ImageFolder(sys.argv[1], steps)
order = list(range(len(images)))
random.Random(1).shuffle(order)
for i in order[:200]:
    images[i]
wanted = int(sys.argv[2])
wall, cpu = time.perf_counter(), time.process_time()
for n in range(wanted):
    images[order[n % len(order)]]
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(f"{wanted} images, {wall:.3f} s of wall time, {cpu:.3f} s of processor time")
print(f"images_per_cpu_second {wanted / cpu:.1f}")
