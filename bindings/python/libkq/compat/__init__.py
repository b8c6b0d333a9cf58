"""Other clients' interfaces on libkq."""
