"""From files to a graph that can run: roles bound, limits resolved, sweeps kept as templates and points."""
