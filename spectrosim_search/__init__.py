"""Hyperparameter search and AutoML for contrastive learning on spectra."""

__version__ = "0.1.0"
