"""The command line: parses, asks the rooms below, prints. One module for each group of commands."""
