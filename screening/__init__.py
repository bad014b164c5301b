"""Pre-visit contraindication screening.

Nothing is imported here: the process that renders pages imports this package too.
"""
