"""What Pythia makes: processes, settings, pile-up, particles and their record."""
