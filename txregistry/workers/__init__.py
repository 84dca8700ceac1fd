"""Workers: processes that serve clients for one that only minds them.

``crew`` is what that one has, ``chief`` what a worker has: each end of two pipes.
``supervising`` decides, ``spawning`` knows what a process is; ``assignment`` and
``lines`` are what goes over; ``pages`` and ``gauges`` show it.
"""
