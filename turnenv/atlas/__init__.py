"""The atlas: a bundled encyclopedia of real facts as tables, the articles written from them, and its questions."""
