#!/usr/bin/python3
"""Writes subset-golden.h: long-tailed subsets drawn by NumPy itself, for tests/unit/test_subset.c.

    /usr/bin/python3 tests/golden/subset-generate.py > tests/golden/subset-golden.h

Labels are (13 i + 5) mod L, so that classes mix and none need be stored; 13 shares no factor with any L below. Long subsets are given by
their size, first and last members and a weighted sum modulo 2^32. Needs python3-numpy.
"""
import numpy as np


def members(labels, classes, rho):
    state = np.random.RandomState(0)
    kept = []
    for c in range(classes):
        own = np.where(labels == c)[0]
        state.shuffle(own)
        kept.extend(own[: int(len(labels) / classes * (1 / rho) ** (c / (classes - 1.0)))])
    return np.sort(np.array(kept, dtype=np.int64))


def digest(values):
    places = np.arange(1, len(values) + 1, dtype=np.uint64)
    return int((values.astype(np.uint64) * (places * np.uint64(2654435761) % np.uint64(2**32)) % np.uint64(2**32)).sum() % np.uint64(2**32))


print(f"/* Made by subset-generate.py with NumPy {np.__version__}. Do not edit. */")
print("/* clang-format off */")
words = np.random.RandomState(0).randint(0, 2**32, size=1300, dtype=np.uint64)
print(f"static const uint32_t first_words[] = {{{', '.join(f'{w}u' for w in words[:8])}}};")
print(f"static const uint32_t word_1300 = {words[-1]}u;")
for n in (1, 2, 3, 17, 33):
    values = np.arange(n)
    np.random.RandomState(0).shuffle(values)
    print(f"static const int64_t shuffled_{n}[] = {{{', '.join(map(str, values))}}};")
print("static const subset_golden golden[] = {")
for classes, per_class, rho in ((2, 10, 5), (3, 30, 10), (7, 100, 1), (10, 500, 100), (10, 5000, 100), (100, 500, 100), (100, 500, 50), (20, 65, 12.5)):
    labels = (13 * np.arange(classes * per_class) + 5) % classes
    kept = members(labels, classes, rho)
    ends = ", ".join(map(str, list(kept[:4]) + list(kept[-4:])))
    print(f"    {{{classes}, {classes * per_class}, {float(rho)!r}, {len(kept)}, {{{ends}}}, {digest(kept)}u}},")
print("};")
