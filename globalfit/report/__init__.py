"""One chain as a page and as figures: verdict, citations, plots, posterior-predictive spectra."""
