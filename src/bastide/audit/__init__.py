"""The weaknesses of a design, found before it is built: rules over spec and topology. Pure."""
