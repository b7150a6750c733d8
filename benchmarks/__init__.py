"""The harness: suites as data, runs in processes of their own, rows with provenance, and reports made from rows."""
