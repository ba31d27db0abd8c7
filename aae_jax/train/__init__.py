"""Training: phases, state, traced numbers, compiled epochs, the loop, checkpoints."""
