"""What comes from outside: begun from a template, checked before anything of it is run."""
