"""Layers and losses."""

import numpy as np

from torch import Tensor, sigmoid


def linear(x, weight, bias):
    gradient_of_weight = lambda g: g.T @ x.data  # noqa: E731
    product = Tensor(x.data @ weight.data.T, [(x, lambda g: g @ weight.data), (weight, gradient_of_weight)])
    return product + bias


def relu(x):
    return Tensor(np.maximum(x.data, 0), [(x, lambda g: g * (x.data > 0))])


def softplus(x):
    return Tensor(np.logaddexp(x.data, 0), [(x, lambda g: g * sigmoid(x).data)])


def cross_entropy(logits, labels):
    probabilities, rows = logits.softmax(1).data, np.arange(len(labels))
    chosen = np.zeros_like(probabilities)
    chosen[rows, labels.data] = 1
    value = -np.log(probabilities[rows, labels.data]).mean()
    return Tensor(value, [(logits, lambda g: g * (probabilities - chosen) / len(labels))])


def one_hot(labels, num_classes):
    return Tensor(np.eye(num_classes, dtype=np.int64)[labels.data])
