"""The clinical tasks, one package each: ``Parameters``, ``run()`` and a result; strangers to each other."""
