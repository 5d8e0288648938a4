"""Web pages: views, forms, and what they show in words."""
