# SPDX-License-Identifier: MIT
# Prints the numbers that tests/lua/graph_spec.lua holds (NumPy 1.24.2, scikit-learn 1.2.1):
#   /usr/bin/python3 tests/golden/numpy_graph.py
# Graphs are drawn with RandomState(7): 20 of 12 nodes, a = 3, b = -3.5.
import numpy as np
from sklearn.linear_model import LogisticRegression

rng = np.random.RandomState(7)
graphs = []
for _ in range(20):
    X = rng.uniform(-1, 1, (12, 3))
    E = np.zeros((12, 12))
    for i in range(12):
        for j in range(i + 1, 12):
            E[i, j] = E[j, i] = rng.rand() < 1 / (1 + np.exp(-(3 * X[i] @ X[j] - 3.5)))
    graphs.append((X, E))
upper = np.triu_indices(12, 1)
s = [(X @ X.T)[upper] for X, _ in graphs]
e = [E[upper] for _, E in graphs]


def loglik(a, b):
    z = a * np.concatenate(s) + b
    return np.sum(np.concatenate(e) * z - np.logaddexp(0, z))


print("edges", sum(int(v.sum()) for v in e), "loglik(3, -3.5)", repr(loglik(3, -3.5)))
fit = LogisticRegression(penalty=None, tol=1e-12, max_iter=1000).fit(np.concatenate(s)[:, None], np.concatenate(e))
print("logistic regression", repr(fit.coef_[0, 0]), repr(fit.intercept_[0]))
for right in (False, True):
    a = b = 0.5
    for epoch in range(20):
        for t, y in zip(s, e):
            p = 1 / (1 + np.exp(-(a * t + b)))
            a, b = a + 0.01 * (np.sum((y - p) * t) if right else np.sum(y - p * t)), b + 0.01 * np.sum(y - p)
    print("right" if right else "report's", "rule", repr(a), repr(b), repr(loglik(a, b)))
