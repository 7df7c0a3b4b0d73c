"""The kernel's C++ sources and, where a compiler was, the module built of them."""
