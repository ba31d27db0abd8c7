"""Estimators with scikit-learn's interface: transformer, classifier, clusterer, outlier detector, label spreading."""

from aae_jax.estimators.classifier import AAEClassifier
from aae_jax.estimators.clusterer import AAEClusterer
from aae_jax.estimators.label_spreading import GraphLabelSpreading
from aae_jax.estimators.outliers import AAEOutlierDetector
from aae_jax.estimators.transformer import AAE

__all__ = ["AAE", "AAEClassifier", "AAEClusterer", "AAEOutlierDetector", "GraphLabelSpreading"]
