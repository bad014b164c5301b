"""The web: the only part that knows Flask.

A view validates, translates, calls one service and responds.
"""
