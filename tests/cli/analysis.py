"""Checks elmpi-evaluate's --analysis against NumPy on the embeddings it exports: analysis.py ANALYSIS EMBEDDINGS EVALUATION_JSON ALPHA [full]

ALPHA: the pull term's margin rule in Python over n and pi, say "np.sqrt(n)". With "full" also SciPy's and scikit-learn's figures."""
import json
import sys

import h5py
import numpy as np

failures = 0


def check(what, got, wanted, tolerance=1e-6):
    global failures
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    gap = np.max(np.abs(got - wanted) / np.maximum(1, np.abs(wanted))) if got.shape == wanted.shape and got.size else np.inf
    if not gap <= tolerance:
        failures += 1
        print(f"FAILED {what}: off by {gap:.3g}, got {got.ravel()[:4]}, wanted {wanted.ravel()[:4]}")


def class_figures(phi, labels, classes, alpha):
    """Trace, mean distance to the mean, pull, Proposition 1's left side, per class; d_max per image; means."""
    columns = {name: np.zeros(classes) for name in ("trace", "distance", "pull", "bound")}
    farthest, means = np.zeros(len(phi)), np.zeros((classes, phi.shape[1]))
    for c in range(classes):
        x = phi[labels == c]
        n = len(x)
        if n == 0:
            continue
        means[c] = x.mean(0)
        columns["trace"][c] = x.var(0).sum()
        columns["distance"][c] = np.linalg.norm(x - means[c], axis=1).mean()
        d = ((x[:, None, :] - x[None, :, :]) ** 2).sum(-1)
        farthest[labels == c] = np.sqrt(d.max(1))
        t = d - alpha[c]
        np.fill_diagonal(t, 0)  # the term 1
        top = t.max(1)
        columns["pull"][c] = (top + np.log(np.exp(t - top[:, None]).sum(1))).mean()
        if n > 1:
            columns["bound"][c] = 2 * n / (n - 1) * columns["trace"][c] - alpha[c] + np.log(n - 1)
    return columns, farthest, means


def check_split(a, e, name, count, alpha, weight, bias):
    group = a[name]
    phi, logits, labels = (e[f"{name}/{k}"][:] for k in ("embeddings", "logits", "labels"))
    phi64, f = phi.astype(float), logits.astype(float)
    classes, n = f.shape[1], len(labels)
    rows = np.arange(n)
    check(f"{name} logits are fc(embeddings)", f, phi64 @ weight.T.astype(float) + bias, 1e-4)
    check(f"{name} labels", group["labels"][:], labels)
    check(f"{name} predicted", group["predicted"][:], f.argmax(1))
    rival = f.copy()
    rival[rows, labels] = -np.inf
    check(f"{name} margin", group["margin"][:], f[rows, labels] - rival.max(1))
    p = np.exp(f - f.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    check(f"{name} confidence", group["confidence"][:], p.max(1))
    columns, farthest, means = class_figures(phi64, labels, classes, alpha)
    for key, values in columns.items():
        check(f"{name} class {key}", group[f"class/{key}"][:], values, 1e-5 if key == "pull" else 1e-6)
    check(f"{name} farthest", group["farthest"][:], farthest)
    several = np.bincount(labels, minlength=classes) > 1
    if not np.all(columns["bound"][several] <= group["class/pull"][:][several] + 1e-9):
        check(f"{name} Proposition 1 holds", 0, 1)
    check(f"{name} largest norm", group.attrs["largest_norm"], np.linalg.norm(phi64, axis=1).max())
    check_geometry(group, name, columns, means, labels, classes, weight)
    check_quality(group, name, f.argmax(1), p.max(1), labels, count)
    return phi64, labels, means


def check_geometry(group, name, columns, means, labels, classes, weight):
    present = np.bincount(labels, minlength=classes) > 0
    m = means[present] - means[present].mean(0)
    upper = np.triu_indices(len(m), 1)
    inter = np.linalg.norm(m[:, None] - m[None], axis=2)[upper].mean()
    intra = columns["distance"][present].mean()
    norms = np.linalg.norm(m, axis=1)
    cosines = (m @ m.T / np.outer(norms, norms))[upper]
    w = weight[present].astype(float)
    check(f"{name} inter/intra", group.attrs["inter_intra_ratio"], inter / intra)
    check(f"{name} equal norms", group.attrs["collapse_equal_norms"], norms.std() / norms.mean())
    check(f"{name} equal angles", group.attrs["collapse_equal_angles"], cosines.std())
    check(f"{name} widest angles", group.attrs["collapse_widest_angles"], np.abs(cosines + 1 / (len(m) - 1)).mean())
    check(f"{name} duality", group.attrs["collapse_duality"], np.linalg.norm(w / np.linalg.norm(w) - m / np.linalg.norm(m)) ** 2)


def check_quality(group, name, predicted, confidence, labels, count):
    classes = len(count)
    right = predicted == labels
    tp = np.bincount(labels[right], minlength=classes)
    images, said = np.bincount(labels, minlength=classes), np.bincount(predicted, minlength=classes)
    used = images + said > 0
    check(f"{name} macro F1", group.attrs["macro_f1"], (2 * tp[used] / (images + said)[used]).mean())
    bins = np.clip(np.ceil(confidence * 15).astype(int) - 1, 0, 14)
    error = sum(abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in range(15) if (bins == b).any())
    check(f"{name} calibration error", group.attrs["calibration_error"], error)
    order = np.lexsort((np.arange(classes), -count))
    recall = np.divide(tp, images, out=np.zeros(classes), where=images > 0)
    for rho, got, at in zip(group["shift/imbalance"][:], group["shift/accuracy"][:], range(11)):
        prior = np.zeros(classes)
        prior[order if at <= 5 else order[::-1]] = rho ** (-np.arange(classes) / (classes - 1))
        prior[images == 0] = 0
        check(f"{name} shift {rho} {at}", got, (prior * recall).sum() / prior.sum())
    pairs, counts = np.unique(np.stack([labels[~right], predicted[~right]]), axis=1, return_counts=True)
    top = np.lexsort((pairs[1], pairs[0], -counts))[:50]
    wanted = np.stack([pairs[0], pairs[1], counts], 1)[top]
    if len(wanted) or "confusions" in group:
        check(f"{name} confusions", group["confusions"][:], wanted)


def check_spectrum(a, phi, labels, means, full):
    classes, width = means.shape
    n = len(phi)
    centred = phi - means[labels]
    within = centred.T @ centred / n
    m = means - means.mean(0)
    between = m.T @ m / classes
    shrunk = within + 1e-4 * np.trace(within) / width * np.eye(width)
    principal = np.linalg.eigvalsh(np.cov(phi.T, bias=True).reshape(width, width))[::-1]
    check("principal components", a["spectrum/principal"][:], principal)
    check("NC1", a["spectrum"].attrs["collapse_variability"], np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / classes, 1e-5)
    lower = np.linalg.inv(np.linalg.cholesky(shrunk))
    fisher = np.linalg.eigvalsh(lower @ between @ lower.T)[::-1]
    check("Fisher spectrum", a["spectrum/fisher"][:], fisher, 1e-5)
    if full:
        import scipy.linalg

        check("Fisher spectrum (SciPy)", a["spectrum/fisher"][:], scipy.linalg.eigh(between, shrunk, eigvals_only=True)[::-1], 1e-5)


def check_bound(a, n, alpha, weight):
    prior = n / n.sum()
    pull, trace = a["train/class/pull"][:], a["train/class/trace"][:]
    terms = prior / n * (pull + alpha)
    check("Proposition 2 terms", a["proposition_2/pull_term"][:], terms)
    check("weighted traces", a["proposition_2/weighted_trace"][:], (weight.astype(float) ** 2).sum(1) * trace)
    loss = a["train/loss"][:]
    check("largest loss", a["proposition_2"].attrs["largest_loss"], loss.max())
    if len(n) == 2:
        log = np.log(2 / 0.05)
        norm = np.linalg.norm(weight[1].astype(float) - weight[0])
        bound = 7 * loss.max() * log / 3 * (prior / (n - 1)).sum() + loss.mean() + norm * np.sqrt(log * terms.sum())
        check("Proposition 2", a["proposition_2"].attrs["bound"], bound)


def check_tsne(a, phi):
    """The divergence is the plot's own, and no worse than scikit-learn's exact one."""
    from sklearn.manifold import TSNE

    member = a["tsne/member"][:]
    other = TSNE(method="exact", init="pca", perplexity=30, random_state=0, learning_rate="auto", n_iter=1000).fit(phi[member])
    got = a["tsne"].attrs["divergence"]
    print(f"t-SNE: divergence {got:.4f}, scikit-learn's {other.kl_divergence_:.4f}")
    if not got <= 1.05 * other.kl_divergence_:
        check("t-SNE's divergence", got, other.kl_divergence_, 0.05)


def check_sklearn(a, name):
    from sklearn.metrics import f1_score

    group = a[name]
    check(f"{name} macro F1 (scikit-learn)", group.attrs["macro_f1"], f1_score(group["labels"][:], group["predicted"][:].astype(int), average="macro"))


def main():
    analysis, embeddings, evaluation, rule = sys.argv[1:5]
    full = sys.argv[5:] == ["full"]
    with h5py.File(analysis) as a, h5py.File(embeddings) as e, open(evaluation) as file:
        told = json.load(file)
        n = e["classes/train_count"][:].astype(float)
        alpha = eval(rule, {"np": np, "n": n, "pi": n / n.sum()})  # the caller's own text
        weight, bias = e["fc/weight"][:], e["fc/bias"][:]
        check("alpha", a["classes/alpha"][:], alpha)
        phi, labels, means = check_split(a, e, "train", n, alpha, weight, bias)
        check_split(a, e, "test", n, alpha, weight, bias)
        right = a["test/predicted"][:] == a["test/labels"][:]
        check("accuracy is evaluation.json's", right.mean(), told["accuracy"])
        if "spectrum" in a:
            check_spectrum(a, phi, labels, means, full)
        check_bound(a, n, alpha, weight)
        if full:
            check_tsne(a, phi)
            check_sklearn(a, "test")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
