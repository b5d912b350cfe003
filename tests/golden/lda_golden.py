#!/usr/bin/python3
"""Writes lda_golden.h: weights and biases of linear discriminant analysis by NumPy in fp64, for tests/mpi/test_lda_fit.c.

    /usr/bin/python3 tests/golden/lda_golden.py > tests/golden/lda_golden.h

Embeddings are quarters, exact in any format. Dimension 2 is dead, class 3 has no image, class 4 one. Needs python3-numpy.
"""
import numpy as np

IMAGES, WIDTH, CLASSES, EPSILON = 23, 7, 6, 1e-4
labels = np.array([i % 3 if i % 5 else 5 for i in range(IMAGES)])
labels[6] = 4
phi = np.array([[0 if k == 2 else ((7 * i + 13 * k + 6 * i * k * k) % 17 - 8) / 4 for k in range(WIDTH)] for i in range(IMAGES)])
mean = np.array([phi[labels == c].mean(0) if (labels == c).any() else np.zeros(WIDTH) for c in range(CLASSES)])
centred = phi - mean[labels]
shared = centred.T @ centred / IMAGES
shared += EPSILON * np.trace(shared) / WIDTH * np.eye(WIDTH)
weights = np.linalg.inv(shared) @ mean.T
bias = -0.5 * np.einsum("ck,kc->c", mean, weights)
print("/* Written by lda_golden.py: linear discriminant analysis by NumPy in fp64. */\n/* clang-format off */")
print("#ifndef ELMPI_TESTS_LDA_GOLDEN_H\n#define ELMPI_TESTS_LDA_GOLDEN_H\n")
print("enum { LDA_IMAGES = %d, LDA_WIDTH = %d, LDA_CLASSES = %d };" % (IMAGES, WIDTH, CLASSES))
print("static const double lda_epsilon = %.17g;" % EPSILON)
for name, values in ("weights", weights.T.ravel()), ("bias", bias):
    print("static const double lda_%s[] = {\n    %s};" % (name, ", ".join("%.17g" % v for v in values)))
print("\n#endif")
