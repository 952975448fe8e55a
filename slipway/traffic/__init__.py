"""Users' requests to models, and what became of them."""
