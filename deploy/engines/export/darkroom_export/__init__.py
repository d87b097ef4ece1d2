"""The one exporter: a diffusers folder becomes a bundle whose graphs hold no weights."""
