"""What every benchmark stands on: methods, runs in processes, rows, provenance, statistics, progress."""
