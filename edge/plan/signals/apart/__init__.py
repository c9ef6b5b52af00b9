"""The marginal rate of a grid: asked, shown and kept beside the inventory, which cannot take it."""
