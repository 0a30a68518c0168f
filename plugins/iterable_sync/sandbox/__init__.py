"""
A local Iterable for tests and demos: ``iterable-sync sandbox``.

It stands apart: nothing of the product imports it, and it imports nothing of the product,
because it is the oracle of the product's tests.

::

    command.py      the command line
    server.py       uvicorn: in the foreground, or in a thread for tests
    app.py          the parts put together
    gate.py         one request on its way: fault, key, limit, size, handler, history
    routes/         one file per area of the API: a table of endpoints and their handlers
    control.py      /__sandbox__/...: reset, history, dump, switches
    pages/          what a person sees in a browser
    state.py        everything the sandbox remembers
    updates.py      user updates: bodies in, profiles and failures out
    projects.py     who is found, created or in conflict, per project type
    registry.py     the types of fields: the first write decides
"""
