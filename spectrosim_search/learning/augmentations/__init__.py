"""Augmentations of spectra, batched on tensors."""
