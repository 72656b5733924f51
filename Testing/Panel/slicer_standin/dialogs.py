"""Modal windows in a test: each is recorded, answered as the test said, and never waited for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMenu, QMessageBox


@dataclass(frozen=True)
class Shown:
    """What a modal window said: its class, title and text."""

    kind: str
    title: str
    text: str


class Dialogs:
    """The modal windows of a test.

    ``answers`` holds, in order, what the user will do: a button of a message box, a path of a file dialog, a
    text, or a function that gets the window and returns the result of ``exec_()``. A message with nothing but
    an OK button needs no answer.
    """

    def __init__(self):
        self.answers = deque()
        self.shown: list[Shown] = []

    def answer(self, *answers) -> None:
        """Say what the user will answer to the next modal windows."""
        self.answers.extend(answers)

    def take(self) -> list[Shown]:
        """Return what was shown since the last call, and forget it."""
        shown, self.shown = self.shown, []
        return shown

    def clear(self) -> None:
        """Forget what was shown and what would have been answered."""
        self.answers.clear()
        self.shown.clear()

    def reply(self, window, shown: Shown, default=None):
        """Record a window and return the user's answer."""
        self.shown.append(shown)
        if self.answers:
            answer = self.answers.popleft()
            return answer(window) if callable(answer) else answer
        if default is not None:
            return default
        msg = f"a modal window would wait for the user: {shown}"
        raise AssertionError(msg)


#: The one recorder; a user sees one modal window at a time too.
DIALOGS = Dialogs()


def make_answerable(cls) -> None:
    """Replace what waits for the user in a Qt class of modal windows by the recorder."""
    cls.exec = cls.exec_ = _message_exec if issubclass(cls, QMessageBox) else _dialog_exec
    for name, position in _STATIC.get(cls, {}).items():
        setattr(cls, name, staticmethod(_static(cls.__name__, name, position)))


def _message_exec(self):
    shown = Shown(type(self).__name__, self.windowTitle, self.text)
    only_ok = self.standardButtons in (QMessageBox.Ok, QMessageBox.NoButton) and not self.buttons()[1:]
    return DIALOGS.reply(self, shown, QMessageBox.Ok if only_ok else None)


def _dialog_exec(self, *_arguments):
    title = "" if isinstance(self, QMenu) else self.windowTitle
    return DIALOGS.reply(self, Shown(type(self).__name__, title, ""))


def _static(kind: str, name: str, position: int):
    def ask(*arguments, **named):
        texts = [str(argument) for argument in arguments[1 : position + 1]]
        return DIALOGS.reply(None, Shown(f"{kind}.{name}", texts[0] if texts else "", " ".join(texts[1:])))

    return ask


#: Static functions that wait, and how many texts follow the parent.
_STATIC = {
    QMessageBox: {"question": 2, "information": 2, "warning": 2, "critical": 2},
    QFileDialog: dict.fromkeys(
        ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"), 2
    ),
    QInputDialog: dict.fromkeys(("getText", "getInt", "getDouble", "getItem", "getMultiLineText"), 2),
    QDialog: {},
}
