from __future__ import annotations

import subprocess
import sys

CODE = """
import gc, weakref
from valence.service.machine.garbage import spare_loaded_objects
class Node: pass
kept, lost = Node(), Node()
kept.itself, lost.itself = kept, lost
spare_loaded_objects()
assert gc.get_freeze_count() > 1_000 and not any(one is kept for one in gc.get_objects())
late = Node()
late.itself, gone = late, weakref.ref(late)
del late
made = []
for _ in range(2_000):
    made.append([])
print(gone() is not None, gc.get_threshold()[0])
for _ in range(60_000):
    made.append([])
print(gone() is None)
"""


def test_later_cycles_are_found_and_loaded_ones_left():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "50000", "True"]
