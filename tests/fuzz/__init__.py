"""Damaged, huge and hostile files for everything that reads: `python -m tests.fuzz --cases 20000`.

A reader may take what it is given or refuse it with an `InputError` of one sentence that names the
file. Anything else is a violation: another exception, a crash, a hang, memory without bounds, a
file written outside the reader's place, a process, a connection, or code out of a pickle.
"""
