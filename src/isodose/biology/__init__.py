"""What the radiation does to cells: RBE models, mixed fields, tissues and the doses weighted by them."""
