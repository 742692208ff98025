"""Baselines: what varies slowly under the peaks of a spectrum, found from that spectrum alone.

A member declares ``estimate(x (n, L) float64, settings) -> (n, L) float64``; a row never depends on another. Three ways
with one strength each, for three kinds of instrument:

- ``snip``: peaks on a background that is never above them (mass spectra, MALDI, XRD, gamma). Fast, needs no fit.
- ``arpls``: noisy peaks on a smooth hump (Raman fluorescence, FTIR). Of the asymmetric least squares the one that finds
  its asymmetry itself: a search has one dimension less than with ``asls`` and no value of it that fits one noise level.
- ``polynomial``: scatter that tilts or bends the whole spectrum (NIR), where peaks are too broad to stand clear of
  anything. With SNV behind it: Barnes' detrending.

`baseline_width` has one meaning for the first two: what is broader than so many channels counts as baseline.
"""
