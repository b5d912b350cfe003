#!/usr/bin/python3
"""Writes pipeline_golden.h: whole augmentation pipelines re-stated with Pillow and elmpi's random numbers, as FNV-1a sums, for
tests/unit/test_pipeline.c.

    /usr/bin/python3 tests/golden/pipeline_golden.py > tests/golden/pipeline_golden.h

Needs python3-pil and python3-numpy (made with Pillow 9.4). Policies' pairs are written down here as their papers' public code has them.
"""
import math
import re

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from image_ops_golden import fnv, hue, make_image

MASK = 0xffffffff
SEED, EPOCH, POSITIONS = 5, 3, 60


class Stream:
    """Philox4x32-10 as src/base/rng.c has it, use AUGMENT."""

    def __init__(self, seed, a, b):
        self.key, self.counter, self.block = (seed & MASK, 2), [0, a, b, seed >> 32], []

    def u32(self):
        if not self.block:
            c, k = list(self.counter), list(self.key)
            for _ in range(10):
                a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
                c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
                k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
            self.block = c
            self.counter[0] += 1
        return self.block.pop(0)

    def uniform(self):
        high, low = self.u32() >> 5, self.u32() >> 6
        return ((high << 26) | low) * 2.0 ** -53

    def below(self, limit):
        product = self.u32() * limit
        if (product & MASK) < limit:
            while (product & MASK) < (2 ** 32 - limit) % limit:
                product = self.u32() * limit
        return product >> 32

    def normal(self):
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())

    def coin(self):
        return self.u32() & 1


def fill_of(image, fill):
    return fill if image.mode == "RGB" else fill[0]


def affine(image, matrix, resampling, fill):
    return image.transform(image.size, Image.AFFINE, matrix, resampling, fillcolor=fill_of(image, fill))


def operate(image, name, value, resampling=Image.NEAREST, fill=(0, 0, 0)):
    return {
        "Identity": lambda: image,
        "ShearX": lambda: affine(image, (1, value, 0, 0, 1, 0), resampling, fill),
        "ShearY": lambda: affine(image, (1, 0, 0, value, 1, 0), resampling, fill),
        "TranslateX": lambda: affine(image, (1, 0, value, 0, 1, 0), resampling, fill),
        "TranslateY": lambda: affine(image, (1, 0, 0, 0, 1, value), resampling, fill),
        "Rotate": lambda: image.rotate(value, resampling, fillcolor=fill_of(image, fill)),
        "Brightness": lambda: ImageEnhance.Brightness(image).enhance(value),
        "Color": lambda: ImageEnhance.Color(image).enhance(value),
        "Contrast": lambda: ImageEnhance.Contrast(image).enhance(value),
        "Sharpness": lambda: ImageEnhance.Sharpness(image).enhance(value),
        "Posterize": lambda: ImageOps.posterize(image, int(value)) if value >= 1 else image.point(lambda v: 0),
        "Solarize": lambda: ImageOps.solarize(image, value),
        "SolarizeAdd": lambda: image.point([min(255, v + int(value)) if v < 128 else v for v in range(256)] * len(image.getbands())),
        "AutoContrast": lambda: ImageOps.autocontrast(image),
        "Equalize": lambda: ImageOps.equalize(image),
        "Invert": lambda: ImageOps.invert(image),
        "Hue": lambda: hue(image, value),
    }[name]()


CIFAR10 = """Invert .1 7, Contrast .2 6; Rotate .7 2, TranslateX .3 9; Sharpness .8 1, Sharpness .9 3; ShearY .5 8, TranslateY .7 9;
AutoContrast .5 8, Equalize .9 2; ShearY .2 7, Posterize .3 7; Color .4 3, Brightness .6 7; Sharpness .3 9, Brightness .7 9; Equalize .6 5, Equalize .5 1;
Contrast .6 7, Sharpness .6 5; Color .7 7, TranslateX .5 8; Equalize .3 7, AutoContrast .4 8; TranslateY .4 3, Sharpness .2 6; Brightness .9 6, Color .2 8;
Solarize .5 2, Invert 0 3; Equalize .2 0, AutoContrast .6 0; Equalize .2 8, Equalize .6 4; Color .9 9, Equalize .6 6; AutoContrast .8 4, Solarize .2 8;
Brightness .1 3, Color .7 0; Solarize .4 5, AutoContrast .9 3; TranslateY .9 9, TranslateY .7 9; AutoContrast .9 2, Solarize .8 3; Equalize .8 8, Invert .1 3;
TranslateY .7 9, AutoContrast .9 1"""


def torchvision_imagenet():
    """The pairs as the installed torchvision has them."""
    from torchvision.transforms import AutoAugment, AutoAugmentPolicy
    return [[(name, p, m or 0) for name, p, m in pair] for pair in AutoAugment()._get_policies(AutoAugmentPolicy.IMAGENET)]


def pairs_of(text):
    halves = [[half.split() for half in pair.split(",")] for pair in text.replace("\n", " ").split(";")]
    return [[(name, float(p), int(m)) for name, p, m in pair] for pair in halves]


SIGNED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Brightness", "Color", "Contrast", "Sharpness")
ENHANCE = SIGNED[4:]


def signed(rng, by):
    return -by if rng.coin() else by


def methods_value(name, index, image, rng):
    """The code that long-tail methods share."""
    side = image.size[1] if name == "TranslateY" else image.size[0]
    if name in ("ShearX", "ShearY"):
        return signed(rng, .3 * (index / 9)), Image.BICUBIC
    if name in ("TranslateX", "TranslateY"):
        return signed(rng, 150 / 331 * (index / 9) * side), Image.NEAREST
    if name in ENHANCE:
        return 1 + signed(rng, .9 * (index / 9)), Image.NEAREST
    return {"Rotate": 30 * (index / 9), "Posterize": [8, 8, 7, 7, 6, 6, 5, 5, 4, 4][index], "Solarize": 256 - 256 * (index / 9)}.get(name, 0), Image.NEAREST


def torchvision_value(name, t, image, rng, wide=False):
    side = image.size[1] if name == "TranslateY" else image.size[0]
    if name in ("ShearX", "ShearY"):
        return signed(rng, (.99 if wide else .3) * t)
    if name in ("TranslateX", "TranslateY"):
        return signed(rng, int(32 * t if wide else 150 / 331 * t * side))
    if name in ENHANCE:
        return 1 + signed(rng, (.99 if wide else .9) * t)
    if name == "Rotate":
        return signed(rng, (135 if wide else 30) * t)
    return {"Posterize": 8 - round((6 if wide else 4) * t), "Solarize": 255 - 255 * t}.get(name, 0)


def timm_value(name, t, image, rng, increasing):
    side = image.size[1] if name == "TranslateY" else image.size[0]
    if name in ("ShearX", "ShearY"):
        return signed(rng, .3 * t)
    if name in ("TranslateX", "TranslateY"):
        return signed(rng, .45 * t * side)
    if name == "Rotate":
        return signed(rng, 30 * t)
    if name in ENHANCE:
        return max(.1, 1 + signed(rng, .9 * t)) if increasing else .1 + 1.8 * t
    return {"Posterize": 4 - int(4 * t) if increasing else int(4 * t), "Solarize": 256 - int(256 * t) if increasing else int(256 * t),
            "SolarizeAdd": int(110 * t)}.get(name, 0)


FOURTEEN = ["Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast", "Sharpness", "Posterize", "Solarize",
            "AutoContrast", "Equalize"]
FIFTEEN = ["AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast", "Brightness", "Sharpness", "ShearX",
           "ShearY", "TranslateX", "TranslateY"]


def autoaugment(image, rng, policy="cifar10"):
    pairs = torchvision_imagenet() if policy == "imagenet" else pairs_of(CIFAR10)
    for name, probability, index in pairs[rng.below(25)]:
        if rng.uniform() < probability:
            if policy == "cifar10":
                value, resampling = methods_value(name, index, image, rng)
                image = operate(image, name, value, resampling, (128, 128, 128))
            else:
                image = operate(image, name, torchvision_value(name, index / 9, image, rng))
    return image


def randaugment(image, rng, n=2, m=9, variant="torchvision"):
    for _ in range(n):
        if variant == "torchvision":
            name = FOURTEEN[rng.below(14)]
            image = operate(image, name, torchvision_value(name, m / 30, image, rng))
            continue
        name = FIFTEEN[rng.below(15)]
        if not rng.coin():
            continue
        t = min(max(m + .5 * rng.normal(), 0), 10) / 10
        value = timm_value(name, t, image, rng, variant == "timm-inc")
        resampling = Image.BICUBIC if rng.coin() else Image.BILINEAR
        image = operate(image, name, value, resampling, (128, 128, 128) if variant == "timm-inc" else (124, 116, 104))
    return image


def trivialaugment(image, rng):
    name = FOURTEEN[rng.below(14)]
    t = rng.below(31) / 30
    return operate(image, name, torchvision_value(name, t, image, rng, True))


def happens(rng, p):
    return p >= 1 or rng.uniform() < p


def crop(image, rng, pad=4):
    w, h = image.size
    padded = ImageOps.expand(image, pad, 0)
    down, right = rng.below(2 * pad + 1), rng.below(2 * pad + 1)
    return padded.crop((right, down, right + w, down + h))


def flip(image, rng):
    return ImageOps.mirror(image) if rng.coin() else image


def resized_crop(image, rng, least=.08, most=1.):
    w, h = image.size
    for _ in range(10):
        area = h * w * (least + (most - least) * rng.uniform())
        ratio = math.exp(math.log(3 / 4) + (math.log(4 / 3) - math.log(3 / 4)) * rng.uniform())
        bw, bh = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < bw <= w and 0 < bh <= h:
            y = rng.below(h - bh + 1)
            x = rng.below(w - bw + 1)
            break
    else:
        bw, bh = (w, round(w / (3 / 4))) if w / h < 3 / 4 else (round(h * (4 / 3)), h) if w / h > 4 / 3 else (w, h)
        x, y = (w - bw) // 2, (h - bh) // 2
    return image.crop((x, y, x + bw, y + bh)).resize((w, h), Image.BILINEAR)


def jitter(image, rng, b, c=0., s=0., x=0., p=1.):
    if not happens(rng, p):
        return image
    order = [0, 1, 2, 3]
    for i in (3, 2, 1):
        j = rng.below(i + 1)
        order[i], order[j] = order[j], order[i]
    for which in order:
        by = (b, c, s, x)[which]
        if by:
            drawn = by * (2 * rng.uniform() - 1)
            image = operate(image, ("Brightness", "Contrast", "Color", "Hue")[which], drawn if which == 3 else max(0, 1 + drawn))
    return image


def gray(image, rng, p=.2):
    return image.convert("L").convert("RGB") if happens(rng, p) else image


def blur(image, rng, p=.5, least=.1, most=2.):
    return image.filter(ImageFilter.GaussianBlur(least + (most - least) * rng.uniform())) if happens(rng, p) else image


def cutout(image, rng, side=16):
    w, h = image.size
    y, x = rng.below(h), rng.below(w)
    image = image.copy()
    ImageDraw.Draw(image).rectangle((x - side // 2, y - side // 2, x - side // 2 + side - 1, y - side // 2 + side - 1), fill=0)
    return image


STEPS = {"crop": crop, "flip": flip, "resized-crop": resized_crop, "autoaugment": autoaugment, "randaugment": randaugment, "trivialaugment": trivialaugment,
         "jitter": jitter, "gray": gray, "blur": blur, "cutout": cutout}
COLOR = ["crop:4, flip, autoaugment:cifar10, cutout:16", "autoaugment:cifar10-torchvision", "autoaugment:imagenet", "randaugment:2:9:torchvision",
         "randaugment:2:10:timm", "randaugment:3:9:timm-inc", "trivialaugment", "resized-crop, flip, jitter:.4:.4:.4:.1:.8, gray:.2, blur:.5",
         "resized-crop:.2:1, jitter:.4:.4:.4", "crop:2, gray:1, cutout:7"]
GRAY = ["crop:4, autoaugment:cifar10, cutout:8", "trivialaugment", "randaugment:2:10:timm", "resized-crop:.5:1, jitter:.4:.4, blur:1:.5:1"]


def number(text):
    return int(text) if re.fullmatch(r"\d+", text) else float(text) if re.fullmatch(r"[\d.]+", text) else text


def run(image, text, rng):
    for step in text.split(", "):
        name, *values = step.split(":")
        image = STEPS[name](image, rng, *[number(v) for v in values])
    return image


print("/* Written by pipeline_golden.py. */")
print("enum { SEED = %d, EPOCH = %d };" % (SEED, EPOCH))
print("static const golden_row golden_rows[] = {")
for texts, size in ((COLOR, (32, 32, 3)), (COLOR[:5], (24, 40, 3)), (GRAY, (28, 28, 1))):
    for text in texts:
        for position in range(POSITIONS):
            kind = ("noise", "narrow", "ramp")[position % 3]
            print('    {"%s", {%d, %d, %d}, %d, 0x%016xu},' % (text, *size, position, fnv(run(make_image(kind, *size), text, Stream(SEED, EPOCH, position)))))
print("};")
