"""Wishes: what the site would like to do, and what it offers to the cluster. All of it expires."""
