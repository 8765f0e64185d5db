"""SCPI as instruments speak it: headers, parameters, chains, the error queue and the status registers."""
