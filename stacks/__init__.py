"""What an environment is: typed settings, and the order in which its layers are declared."""
