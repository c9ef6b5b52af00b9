"""Publishers of a fuel mix, one file each: a description of the request and a pure parser, written from their formats."""
