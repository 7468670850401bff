"""Pictures and words for people: contact sheets, notebooks, and commands to paste into a shell."""
