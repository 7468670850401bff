"""A render from the request to the verified file."""
