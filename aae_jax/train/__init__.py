"""Training: phases, state, traced hyperparameters, compiled epochs, training loop, checkpoints."""
