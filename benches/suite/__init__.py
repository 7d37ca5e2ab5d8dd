"""What `make bench` measures; `benches/run.py` starts it."""
