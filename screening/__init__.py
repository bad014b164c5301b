"""Pre-visit contraindication screening. The process that renders pages imports this too: nothing else is in it."""
