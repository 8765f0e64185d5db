"""The vocabulary and the seams every room shares: errors, sessions, clocks, recorders. No behaviour of its own."""
