"""Pictures: folders of them, and what they are trained with."""
