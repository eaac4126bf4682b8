"""What can be wrong in a config, in data, in an installation and in a finished sequence."""
