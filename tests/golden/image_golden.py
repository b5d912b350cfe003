#!/usr/bin/env python3
"""Golden values for images: what torchvision makes of a painted scene. Writes image_golden.h beside itself.

Run with Debian's python3 (python3-torchvision). The scene is that of tests/unit/image_files.h, without any file format in between.
"""
import os

import numpy
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

EVERY = 997  # values of an output that are kept
SIZES = [(500, 375), (300, 200), (200, 300), (64, 64), (1031, 770)]
BOXES = [(0, 0, 500, 375), (13, 27, 101, 77), (250, 100, 224, 224), (3, 5, 30, 40), (100, 0, 400, 300)]


def paint(width, height):
    x, y = numpy.meshgrid(numpy.arange(width), numpy.arange(height))
    blue = numpy.where((x * 3 < width) & (y * 2 > height), 220, 40 + 60 * ((x + y) % 40) // 40)
    return Image.fromarray(numpy.stack([20 + 200 * x // width, 230 - 210 * y // height, blue], 2).astype(numpy.uint8))


def values(image):
    return numpy.asarray(image).transpose(2, 0, 1).reshape(-1)[::EVERY]


def table(name, rows):
    lines = ["static const unsigned char %s[][%d] = {" % (name, len(rows[0]))]
    lines += ["    {" + ", ".join(str(v) for v in row) + "}," for row in rows]
    return "\n".join(lines + ["};"])


def main():
    evaluation = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    evaluated = [values(evaluation(paint(*size))) for size in SIZES]
    cropped = [values(functional.resized_crop(paint(500, 375), y, x, h, w, (224, 224))) for x, y, w, h in BOXES]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "image_golden.h")
    with open(path, "w") as out:
        out.write("/* Made by image_golden.py with torchvision; do not edit. */\n")
        out.write("enum { GOLDEN_EVERY = %d, GOLDEN_SIZES = %d, GOLDEN_BOXES = %d };\n" % (EVERY, len(SIZES), len(BOXES)))
        out.write("static const int golden_sizes[][2] = {%s};\n" % ", ".join("{%d, %d}" % size for size in SIZES))
        out.write("static const int golden_boxes[][4] = {%s};\n" % ", ".join("{%d, %d, %d, %d}" % box for box in BOXES))
        out.write(table("golden_evaluated", evaluated) + "\n")
        out.write(table("golden_cropped", cropped) + "\n")


main()
