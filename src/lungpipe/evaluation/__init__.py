"""The judge: the official LUNA16 rules and what goes beyond them, without torch."""
