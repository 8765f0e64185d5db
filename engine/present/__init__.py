"""How results are said: pure functions that terminal, page and screen share, so that all three say the same."""
