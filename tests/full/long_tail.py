"""The long-tailed subset, made without elmpi, for scripts that replay its steps."""
import numpy as np


def members(labels, rho):
    """Long-tailed subset as the public LDAM-DRW code draws it, in store order."""
    if not rho:
        return np.arange(len(labels))
    classes = int(labels.max()) + 1
    np.random.seed(0)
    chosen = []
    for c in range(classes):
        places = np.where(labels == c)[0]
        np.random.shuffle(places)
        chosen.append(places[:int(len(labels) / classes * (1 / rho) ** (c / (classes - 1)))])
    return np.sort(np.concatenate(chosen))
