"""Trained weights: reading foreign files, our own store format, and the card that says what they are."""
