"""What only the pages of the book need: claims, numbered tables, live figures, where stored results lie, and the ranges
of the chapters' parameters."""
