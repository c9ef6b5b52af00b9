"""A day or a month of a site on one page for people. No claim is worded here that a verifier would have to make."""
