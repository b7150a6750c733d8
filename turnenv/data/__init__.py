"""The bundled world: tables of facts, the phrasings that write them out, and their loader (`turnenv.data.atlas`)."""
