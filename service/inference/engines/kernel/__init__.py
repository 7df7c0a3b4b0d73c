"""The native kernel in C++; README.md explains its files."""
