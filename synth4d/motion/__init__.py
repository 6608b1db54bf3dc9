"""What happens: a script of events is drawn, carried out by physics, checked, and filmed."""
