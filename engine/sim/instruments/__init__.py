"""The simulated instruments: chamber, supply, multimeter, load, and those that a file describes."""
