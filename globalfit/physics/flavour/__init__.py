"""Rare b decays as quadratic forms of Wilson coefficients, built once with flavio, evaluated with numpy."""
