"""The coupled physics of the bench, solved exactly between events and evaluated when asked."""
