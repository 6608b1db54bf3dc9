"""What there is: scenes, props and the worlds a seed makes of them."""
