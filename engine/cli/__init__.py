"""The command line: parses, asks the rooms below, prints. One module for each group of commands."""

import os

# Looking for plug-ins of pydantic reads the metadata of every installed package, 20 ms before the first word; we have none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
