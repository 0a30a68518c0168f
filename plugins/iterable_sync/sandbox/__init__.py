"""
A local Iterable for tests and demos: ``iterable-sync sandbox``.

It stands apart: nothing of the product imports it, and it imports nothing of the product,
because it is the oracle of the product's tests.

::

    command.py      the command line
    server.py       uvicorn: in the foreground, or in a thread for tests
    app.py          the parts put together
    gate.py         one request on its way: fault, key, limit, size, handler, history
    faults/         what goes wrong on demand: plans, kinds, rows, the connection
    routes/         one file per area of the API: a table of endpoints and their handlers
    control.py      /__sandbox__/...: reset, history, dump, switches, faults, snapshots
    guard.py        who may see the page and the controls
    seeds.py        what a project begins with
    pytest_plugin.py    the fixtures for other people's tests
    pages/          what a person sees in a browser
    state.py        everything the sandbox remembers
    updates.py      user updates: bodies in, profiles and failures out
    projects.py     who is found, created or in conflict, per project type
    registry.py     the types of fields: the first write decides
    memberships.py  the lists and who is in them
    subscribing.py  what joining and leaving does to a person
    messaging.py    channels, message types and campaigns
    catalogs.py     catalogs, their items and fields
"""
