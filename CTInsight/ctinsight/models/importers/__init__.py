"""Readers of foreign weight files. None of them runs code that a file may hold.

One mechanism for all: a reader turns a file into layers of named tensors
(:class:`~ctinsight.models.importers.architecture.KerasWeights`) or into a plain dictionary of tensors, an
:class:`~ctinsight.models.importers.architecture.Architecture` says which of them belongs where, and a strict
load names the first difference. A new network registers by writing its ``Architecture``.
"""
