"""The commands, by what they are about; `globalfit.cli` names them."""
