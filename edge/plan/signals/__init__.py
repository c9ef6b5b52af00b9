"""Where the carbon intensity of the grid comes from: one file per kind of source."""
