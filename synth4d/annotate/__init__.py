"""What can be asked about a clip: facts from the world, and facts from the pixels alone."""
