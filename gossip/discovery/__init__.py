"""How cells find each other and come in: tickets, spores, address book."""
