"""Renderers: what a camera sees of Gaussians, radiance fields or meshes."""
