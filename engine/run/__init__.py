"""Puts runs together: files, clock, bench, dispatcher, journal."""
