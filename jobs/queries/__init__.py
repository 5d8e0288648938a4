"""Read models: jobs as pages, API and admin show them."""
