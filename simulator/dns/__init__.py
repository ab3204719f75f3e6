"""What DNS says and what a forger of it can guess: pure, no socket, no clock."""
