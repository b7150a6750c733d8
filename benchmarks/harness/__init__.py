"""What every benchmark stands on: methods, options, processes, rows, provenance, statistics, tables, pictures."""
