"""The site as it answers, against what its file and its profiles promise."""
