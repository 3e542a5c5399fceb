"""From a posterior to samples: the start, the ensemble loop, the stopping rule."""
