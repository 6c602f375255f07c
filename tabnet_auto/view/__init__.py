"""Numbers first, then drawing, then carriers (terminal, notebook, page)."""
