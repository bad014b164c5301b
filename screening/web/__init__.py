"""The web pages. A view validates, translates, calls one service and responds."""
