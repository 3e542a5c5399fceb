"""Dark matter of a beam: V1 of meson decays to chi chibar, chi N -> chi' N through V2, chi' -> chi e+ e-."""
