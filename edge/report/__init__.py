"""What people are shown of a site afterwards: figures of a period, and a page for a day or a month."""
