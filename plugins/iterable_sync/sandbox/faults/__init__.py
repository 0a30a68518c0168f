"""
Faults on demand: what goes wrong, for which requests, and when.

::

    plans.py        rules with one seed: which of them fire for a request
    kinds.py        what can go wrong: a table of kinds and their arguments
    arguments.py    the values that a rule may give
    rows.py         kinds that take rows out of a request
    answers.py      kinds that answer something else
    wire.py         kinds that need the connection below the answer
"""
