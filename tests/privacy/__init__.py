"""The proof that the room does not leak; README.md says what is proven and how."""
