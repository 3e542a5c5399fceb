"""Pure physics functions: arrays in, arrays out; no data, no statistics."""
