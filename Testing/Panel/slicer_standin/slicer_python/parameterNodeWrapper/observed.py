"""Lists and dictionaries that write themselves back into the parameter node when changed."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence


class ObservedList(MutableSequence):
    """A list that calls ``save(values)`` after each change; that returns what is in the node now."""

    def __init__(self, values, save):
        self._values, self._save = values, save

    def __repr__(self):
        return f"ObservedList({self._values})"

    def __eq__(self, other):
        return self._values == (other._values if isinstance(other, ObservedList) else other)

    __hash__ = None

    def __len__(self):
        return len(self._values)

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, item):
        self._change(lambda values: values.__setitem__(index, item))

    def __delitem__(self, index):
        self._change(lambda values: values.__delitem__(index))

    def __iadd__(self, other):
        self.extend(other)
        return self

    def __imul__(self, count):
        self._change(lambda own: own.__imul__(count))
        return self

    def extend(self, values):
        """Add values at the end, all at once."""
        self._change(lambda own: own.extend(values))

    def clear(self):
        """Remove all values at once."""
        self._change(lambda values: values.clear())

    def reverse(self):
        """Turn the order round."""
        self._change(lambda values: values.reverse())

    def insert(self, index, value):
        """Put a value before an index."""
        self._change(lambda values: values.insert(index, value))

    def sort(self, **options):
        """Sort in place."""
        self._change(lambda values: values.sort(**options))

    def _change(self, change):
        values = list(self._values)
        change(values)
        self._values = self._save(values)


class ObservedDict(MutableMapping):
    """A dictionary that calls ``save(values)`` after each change; that returns what is in the node now."""

    def __init__(self, values, save):
        self._values, self._save = values, save

    def __repr__(self):
        return f"ObservedDict({self._values})"

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        return iter(self._values)

    def __getitem__(self, key):
        return self._values[key]

    def __setitem__(self, key, item):
        self._change({**self._values, key: item})

    def __delitem__(self, key):
        self._change({k: v for k, v in self._values.items() if k != key})

    def popitem(self):
        """Remove and return the last pair."""
        key = list(self._values)[-1]
        return key, self.pop(key)

    def update(self, *others, **named):
        """Set several at once."""
        self._change(dict(self._values, **dict(*others, **named)))

    def clear(self):
        """Remove all at once."""
        self._change({})

    def _change(self, values):
        self._values = self._save(values)
