"""What must hold whatever happens, tried with drawn commands, losses, cuts and races."""
