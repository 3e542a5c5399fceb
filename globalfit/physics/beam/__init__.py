"""One beam engine for every experiment: mesons, decays, scattering, detector response, folded spectra."""
