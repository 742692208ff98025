"""What was measured: spectra sets, readers, preprocessing, simulators."""
