"""Calls of scikit-learn and SciPy, with tensors and with the same arrays; see `test_consumers`.

SciPy reads once, when it is imported, whether it may dispatch: this is a program of its own. It
prints for each call its name, whether the result is a tensor, and the largest difference.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import schuss as ss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
POSITIVE = RNG.random((6, 5)) + 0.1
LABELS = (X[:, 0] + 0.3 * RNG.normal(size=60) > 0).astype(np.int64)
GUESSES = np.where(RNG.random(60) < 0.7, LABELS, 1 - LABELS)
TARGETS = X @ np.arange(5.0) + 0.1 * RNG.normal(size=60)
SCORES = RNG.random(60)

Call = Callable[..., Any]


def sklearn_calls() -> dict[str, tuple[Call, tuple[np.ndarray, ...]]]:
    from sklearn import decomposition, linear_model, metrics, model_selection, preprocessing
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import pairwise

    def fitted(make: Call, name: str) -> Call:
        return lambda *xs: getattr(make().fit(*xs), name)(xs[0])

    calls: dict[str, tuple[Call, tuple[np.ndarray, ...]]] = {
        "StandardScaler": (fitted(preprocessing.StandardScaler, "transform"), (X,)),
        "MinMaxScaler": (fitted(preprocessing.MinMaxScaler, "transform"), (X,)),
        "PCA": (fitted(lambda: decomposition.PCA(2, svd_solver="full"), "transform"), (X,)),
        "LDA": (fitted(LinearDiscriminantAnalysis, "predict"), (X, LABELS)),
        "Ridge": (fitted(lambda: linear_model.Ridge(solver="svd"), "predict"), (X, TARGETS)),
        "LabelEncoder": (fitted(preprocessing.LabelEncoder, "transform"), (LABELS,)),
        "train_test_split": (
            lambda *xs: model_selection.train_test_split(*xs, random_state=0)[0],
            (X, LABELS),
        ),
        "cross_val_predict": (
            lambda *xs: model_selection.cross_val_predict(linear_model.Ridge(solver="svd"), *xs),
            (X, TARGETS),
        ),
    }
    for name in ("accuracy_score", "f1_score", "confusion_matrix", "zero_one_loss"):
        calls[name] = getattr(metrics, name), (LABELS, GUESSES)
    for name in ("brier_score_loss", "log_loss"):
        calls[name] = getattr(metrics, name), (LABELS, SCORES)
    for name in ("r2_score", "mean_squared_error", "explained_variance_score"):
        calls[name] = getattr(metrics, name), (TARGETS, TARGETS * 0.9)
    for name in ("euclidean_distances", "rbf_kernel", "cosine_similarity"):
        calls[name] = getattr(pairwise, name), (X, X + 1.0)
    return calls


def scipy_calls() -> dict[str, tuple[Call, tuple[np.ndarray, ...]]]:
    from scipy import cluster, integrate, ndimage, signal, special, stats

    names = "zscore skew kurtosis gmean iqr rankdata entropy circmean"
    calls: dict[str, tuple[Call, tuple[np.ndarray, ...]]] = {
        **{name: (getattr(stats, name), (POSITIVE,)) for name in names.split()},
        **{
            name: (getattr(special, name), (POSITIVE,))
            for name in ["erf", "gammaln", "logsumexp", "softmax", "expit"]
        },
        "ttest_ind": (lambda x, y: stats.ttest_ind(x, y).pvalue, (X[:, 0], X[:, 1])),
        "pearsonr": (lambda x, y: stats.pearsonr(x, y).statistic, (X[:, 0], X[:, 1])),
        "detrend": (signal.detrend, (POSITIVE,)),
        "lfilter": (signal.lfilter, (POSITIVE[:, 0], POSITIVE[:, 1], POSITIVE)),
        "trapezoid": (integrate.trapezoid, (POSITIVE,)),
        "kmeans": (lambda x: cluster.vq.kmeans(x, 2, rng=0)[0], (POSITIVE,)),
        "gaussian_filter": (lambda x: ndimage.gaussian_filter(x, 1.0), (POSITIVE,)),
    }
    return calls


def main(library: str) -> None:
    warnings.simplefilter("ignore")
    if library == "sklearn":
        import sklearn

        sklearn.set_config(array_api_dispatch=True)
    for name, (call, given) in (sklearn_calls() if library == "sklearn" else scipy_calls()).items():
        found = call(*[ss.tensor(x) for x in given])
        is_tensor = isinstance(found, ss.Tensor)
        array = found.numpy() if is_tensor else np.asarray(found)
        print(name, int(is_tensor), np.abs(array - np.asarray(call(*given))).max())


if __name__ == "__main__":
    main(sys.argv[1])
