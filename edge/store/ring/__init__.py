"""Inside a ring: the bytes of a segment, opening what an earlier life left behind, reading what is there."""
