"""The command line. Modules here import what is heavy inside the commands that need it: `--help` answers at once."""
