"""Training runs of several methods on a language model: settings, runs, tables, pictures."""
