"""The API by area: one module per area, one method per operation."""
