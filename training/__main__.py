"""``python -m valence.training COMMAND``: the command line ``valence``, where it is not installed.

``torchrun -m valence.training train`` starts it in several processes.
"""

from valence.training.cli.entry import main

if __name__ == "__main__":
    main()
