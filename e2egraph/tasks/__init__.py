"""What is learnt: objects, regions, truth, inputs and objectives."""
