"""turnenv's environments in the shape that other libraries take: one module a library, none imported here."""
