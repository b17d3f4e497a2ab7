"""Tables of nothing but text, beside tf-idf with logistic regression: python benchmarks/text.py

The texts are docstrings of installed packages, and the class is the package, whose name is taken
out. It needs scikit-learn. Logistic regression learns from the same rows as the network (those held
out for validation are not among them), as it is by default and as it does best here.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
import warnings
from typing import Any

import numpy as np

import schuss as ss

PACKAGES = ("numpy", "sklearn", "scipy", "asyncio", "email", "unittest", "logging", "rich")
MOST, SEED = 900, 0


def docstrings(package: str) -> list[str]:
    """Return docstrings of what a package defines, without its name."""
    root = importlib.import_module(package)
    found: dict[str, None] = {}
    modules = [root]
    for info in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda _: None):
        if not re.search(r"test|__main__|_distributor|conftest|setup", info.name):
            try:
                modules.append(importlib.import_module(info.name))
            except Exception:  # a part that another package is needed for
                continue
    names = "|".join(PACKAGES)
    for module in modules:
        for value in list(vars(module).values()):
            if str(getattr(value, "__module__", "")).startswith(package):
                text = inspect.getdoc(value) or ""
                if len(text) > 60:
                    plain = re.sub(rf"\b({names}|np)\b", "", text[:1500])
                    found[re.sub(r"\s+", " ", plain)] = None
    return list(found)[:MOST]


def main() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    warnings.simplefilter("ignore")
    rows = [(text, package) for package in PACKAGES for text in docstrings(package)]
    order = np.random.default_rng(SEED).permutation(len(rows))
    texts = np.array([rows[i][0] for i in order], dtype=object)
    classes = np.array([rows[i][1] for i in order])
    test, validation = len(rows) // 5, len(rows) * 36 // 100
    parts = (slice(validation, None), slice(test, validation), slice(0, test))
    print(f"{len(rows):,} docstrings of {len(PACKAGES)} packages")

    def show(name: str, accuracy: float, loss: float, seconds: float) -> None:
        print(f"{name:44} accuracy {accuracy:.4f}  log loss {loss:.4f}  {seconds:5.1f} s")

    settings: dict[str, tuple[dict[str, Any], float]] = {
        "tf-idf, logistic regression": ({}, 1.0),
        "the same of pairs, C = 10": (
            {"ngram_range": (1, 2), "sublinear_tf": True, "min_df": 2},
            10.0,
        ),
    }
    for name, (options, c) in settings.items():
        begin = time.perf_counter()
        vectors = TfidfVectorizer(**options)
        model = LogisticRegression(C=c, max_iter=500)
        model.fit(vectors.fit_transform(texts[parts[0]]), classes[parts[0]])
        found = model.predict_proba(vectors.transform(texts[parts[2]]))
        seconds = time.perf_counter() - begin
        right = (model.classes_[found.argmax(1)] == classes[parts[2]]).mean()
        show(name, right, log_loss(classes[parts[2]], found, labels=model.classes_), seconds)
    begin = time.perf_counter()
    tables = [{"text": list(texts[p]), "package": list(classes[p])} for p in parts]
    run = ss.train(tables[0], "package", validation=tables[1], test=tables[2], quiet=True)
    figures = run.evaluate(tables[2])
    seconds = time.perf_counter() - begin
    show("schuss train", figures["accuracy"], figures["log_loss"], seconds)


if __name__ == "__main__":
    main()
