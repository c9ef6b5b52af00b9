"""What an adapter is made of: the description of a source, strict reading of an answer, a table of intervals."""
