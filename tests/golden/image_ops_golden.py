#!/usr/bin/python3
"""Writes image_ops_golden.h: what Pillow makes of hashed images, as FNV-1a sums of the result's bytes, for tests/unit/test_image_ops.c.

    /usr/bin/python3 tests/golden/image_ops_golden.py > tests/golden/image_ops_golden.h

Needs python3-pil and python3-numpy (made with Pillow 9.4).
"""
import math

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

FILL = (124, 116, 104)
SIZES = [(32, 32, 3), (17, 29, 3), (28, 28, 1)]
KINDS = ["noise", "narrow", "ramp", "flat"]
RESAMPLING = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def noise(seed, count):
    """xorshift32, the highest byte."""
    state, out = (seed * 2654435761 + 1) & 0xffffffff, []
    for _ in range(count):
        state ^= (state << 13) & 0xffffffff
        state ^= state >> 17
        state ^= (state << 5) & 0xffffffff
        out.append(state >> 24)
    return np.array(out, dtype=np.int64)


def make_image(kind, h, w, c):
    raw = noise(h * 1000 + w * 10 + c, h * w * c).reshape(h, w, c)
    y, x = np.mgrid[0:h, 0:w]
    values = {"noise": raw, "narrow": 60 + raw % 80, "ramp": (8 * x + 3 * y)[:, :, None] % 224 + raw % 32, "flat": np.full_like(raw, 77)}[kind]
    values = values.astype(np.uint8)
    return Image.fromarray(values if c == 3 else values[:, :, 0])


def fnv(image):
    value = 0xcbf29ce484222325
    for byte in np.asarray(image).tobytes():
        value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return value


def hue(image, x):
    h, s, v = image.convert("HSV").split()
    shifted = ((np.asarray(h).astype(np.int64) + int(x * 255)) % 256).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(shifted), s, v)).convert("RGB")


def fill_of(image):
    return FILL if image.mode == "RGB" else FILL[0]


def affine(matrix):
    return lambda image, resampling: image.transform(image.size, Image.AFFINE, matrix, RESAMPLING[resampling], fillcolor=fill_of(image))


COLOR = {
    "color": (lambda i, v: ImageEnhance.Color(i).enhance(v), [0, .1, .64, 1, 1.3, 1.9]),
    "contrast": (lambda i, v: ImageEnhance.Contrast(i).enhance(v), [0, .1, .64, 1, 1.3, 1.9]),
    "brightness": (lambda i, v: ImageEnhance.Brightness(i).enhance(v), [0, .1, .64, 1, 1.3, 1.9]),
    "sharpness": (lambda i, v: ImageEnhance.Sharpness(i).enhance(v), [0, .1, .64, 1, 1.3, 1.9]),
    "autocontrast": (lambda i, v: ImageOps.autocontrast(i), [0]),
    "equalize": (lambda i, v: ImageOps.equalize(i), [0]),
    "posterize": (lambda i, v: ImageOps.posterize(i, int(v)), [1, 4, 5, 8]),
    "solarize": (lambda i, v: ImageOps.solarize(i, v), [0, 28.5, 113.77, 128, 256]),
    "solarize-add": (lambda i, v: i.point([min(255, j + int(v)) if j < 128 else j for j in range(256)] * len(i.getbands())), [0, 30, 110]),
    "invert": (lambda i, v: ImageOps.invert(i), [0]),
    "hue": (hue, [-.5, -.1, 0, .05, .31, .5]),
    "gray": (lambda i, v: i.convert("L").convert("RGB"), [0]),
    "blur": (lambda i, v: i.filter(ImageFilter.GaussianBlur(v)), [.1, .5, .83, 1, 1.37, 2]),
}
GEOMETRY = {
    "shear-x": (lambda i, v, r: affine((1, v, 0, 0, 1, 0))(i, r), [-.3, .0333, .17, .3]),
    "shear-y": (lambda i, v, r: affine((1, 0, 0, v, 1, 0))(i, r), [-.3, .0333, .17, .3]),
    "translate-x": (lambda i, v, r: affine((1, 0, v, 0, 1, 0))(i, r), [-14.5, -3, 1.61, 4, 9.67]),
    "translate-y": (lambda i, v, r: affine((1, 0, 0, 0, 1, v))(i, r), [-14.5, -3, 1.61, 4, 9.67]),
    "rotate": (lambda i, v, r: i.rotate(v, RESAMPLING[r], fillcolor=fill_of(i)), [-135, -30, -13.3, 0, 6.67, 20, 90.5, 180]),
}


def resize(image, box, size):
    return image.crop((box[0], box[1], box[0] + box[2], box[1] + box[3])).resize(size, Image.BILINEAR)


def emit(name, value, resampling, kind, size, image):
    print('    {"%s", %.17g, %s, %s, {%d, %d, %d}, 0x%016xu},' % (name, value, "ELM_" + resampling.upper(), "HASHED_" + kind.upper(), *size, fnv(image)))


def main():
    print("/* Written by image_ops_golden.py with Pillow %s. */" % PIL.__version__)
    print("static const golden_row golden_rows[] = {")
    for size in SIZES:
        for kind in KINDS:
            image = make_image(kind, *size)
            for name, (operation, values) in COLOR.items():
                for value in values:
                    if size[2] == 3 or name not in ("hue", "gray"):
                        emit(name, value, "nearest", kind, size, operation(image, value))
            for name, (operation, values) in GEOMETRY.items():
                for value in values:
                    for resampling in RESAMPLING:
                        emit(name, value, resampling, kind, size, operation(image, value, resampling))
    print("};")
    print("static const golden_resize golden_resizes[] = {")
    for size in SIZES:
        image = make_image("noise", *size)
        h, w, c = size
        for box in [(0, 0, w, h), (3, 5, 11, 9), (1, 0, w - 1, 3), (2, 2, 1, 1)]:
            for out in [(32, 32), (7, 13), (64, 5)]:
                print("    {{%d, %d, %d}, {%d, %d, %d, %d}, {%d, %d, %d}, 0x%016xu}," % (*size, *box, out[1], out[0], c, fnv(resize(image, box, out))))
    print("};")


if __name__ == "__main__":
    main()
