"""What a person types: the command `vdeblur`, one file for each of its subcommands."""
