"""What a double received, on disk line by line, so that a kill loses nothing of it.

The double writes, the test reads meanwhile. Each line is JSON: a new entry with its number, or more about an entry
(`{"number": 3, "status": 200}`), or a complaint about a peer that does not speak the protocol.
"""

import json
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """The writing end. What is noted reaches the file with the next `flush()`."""

    def __init__(self, path: Path) -> None:
        reader = JournalReader(path)
        reader.read()
        self._number = len(reader.entries)
        self._file = path.open("ab", buffering=0)
        self._lines: list[str] = ["\n"] if self._number else []  # the last line of a killed process may be incomplete

    def add(self, entry: Entry) -> int:
        """Note a new entry and return its number, counted from one."""
        self._number += 1
        entry["number"] = self._number
        self._lines.append(json.dumps(entry))
        return self._number

    def amend(self, number: int, **more: Any) -> None:
        """Note what became of an entry."""
        self._lines.append(json.dumps({"more": number, **more}))

    def complain(self, about: str) -> None:
        """Note that a peer broke the protocol."""
        self._lines.append(json.dumps({"complaint": about}))

    def flush(self) -> None:
        """Hand all that was noted to the operating system, which keeps it when this process dies."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._file.write(("\n".join(lines) + "\n").encode())


class JournalReader:
    """The reading end: `entries` by number and `complaints`, as of the last `read()`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.entries: list[Entry] = []
        self.complaints: list[str] = []

    def read(self) -> list[int]:
        """Read what was written since the last time; return which entries are new or changed, counted from zero."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            written = file.read()
        whole, end, _ = written.rpartition(b"\n")
        self._offset += len(whole) + len(end)
        touched = []
        for line in whole.split(b"\n"):
            try:
                found = json.loads(line)
            except ValueError:  # empty, or cut off by a kill
                continue
            if "complaint" in found:
                self.complaints.append(found["complaint"])
            elif "more" in found:
                touched.append(found.pop("more") - 1)
                self.entries[touched[-1]].update(found)
            else:
                touched.append(len(self.entries))
                self.entries.append(found)
        return touched
