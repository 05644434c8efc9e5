"""What two stages share: files and cards, documents, seeds, text, tokens, work folders, progress."""
