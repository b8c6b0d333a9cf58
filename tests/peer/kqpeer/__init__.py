"""What tests/peer/run.py is made of."""
