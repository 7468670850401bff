"""One frame of a clip under many looks: pictures, a contact sheet and a page."""
