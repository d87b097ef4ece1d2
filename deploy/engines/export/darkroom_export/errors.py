"""The one error that is meant for whoever runs the exporter."""


class ExportError(Exception):
    """Something in the input that its owner can mend; the text says what, and how."""
