"""What only the pages of the book need: claims, numbered tables, live figures, and where stored results lie."""
