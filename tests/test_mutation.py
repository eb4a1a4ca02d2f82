"""FORMAT.md's reader, changed by one step anywhere in its label and codebook codings, fails on a golden file.

So golden files settle each constant and each rule; what they do not settle, `mutations.EQUIVALENT` tells.
"""

from __future__ import annotations

import pytest
from mutations import EQUIVALENT, FAR_OFF, mutants, numbered, reader, survivors

pytestmark = pytest.mark.mutation


def test_each_mutant_of_the_reader_fails_on_a_golden_file():
    every = numbered(list(mutants(reader())))
    assert len(every) > 2000
    excused = EQUIVALENT.keys() | FAR_OFF.keys()
    assert excused <= {changed.name for changed in every}, "no such mutants any more"
    assert sorted(survivors([changed for changed in every if changed.name not in excused])) == []
