"""What computes logits from word ids: the native kernel, the reference in torch."""
