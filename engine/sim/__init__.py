"""The simulated bench: coupled physics, SCPI instruments and the sessions that speak to them."""
