"""Radiance fields: what one is (`field`), how it is fitted and how it is drawn."""
