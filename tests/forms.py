"""Every form of every command, with a slot where each key stands.

A slot is a letter in angle brackets, which says what is done with the key: R reads, W overwrites,
U updates, D deletes, N is no key but says where to go. Behind a `!` stand the words, with commas
between them, that no key in that place can be named, for there they end a list. Everything else is
a word as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# A list of inputs without a count ends at this word, an operation of a DAG at that.
_LISTED = "OUTPUTS"
_IN_OP = "|>"
# Keywords of AI.SCRIPTRUN count wherever they stand.
_ANY = "INPUTS,OUTPUTS,TIMEOUT,$"

_SLOT = re.compile(r"<([RWUDN])(?:!(\S+))?>$")

TEXTS = [
    "AI.TENSORSET <W> FLOAT 1",
    "AI.TENSORSET <W> FLOAT",
    "AI.TENSORSET <W> FLOAT 1 VALUES 1",
    "AI.TENSORSET <W> STRING 1 BLOB b",
    "AI.TENSORSET <W> STRING 2 BYTES a b",
    "AI.TENSORGET <R>",
    "AI.TENSORGET <R> META",
    "AI.TENSORGET <R> META VALUES",
    "AI.TENSORGET <R> BLOB",
    "AI.MODELSTORE <W> ONNX CPU BLOB b",
    "AI.MODELSTORE <W> ONNX CPU TAG INPUTS BATCHSIZE 4 MINBATCHSIZE 2 MINBATCHTIMEOUT 9 BLOB a b",
    "AI.MODELSTORE <W> TF CPU INPUTS 1 a OUTPUTS 1 b BLOB c",
    "AI.MODELSET <W> TF CPU INPUTS a OUTPUTS b BLOB c",
    "AI.MODELSET <W> TF CPU INPUTS a OUTPUTS b c",
    "AI.MODELSET <W> ONNX CPU c",
    "AI.MODELGET <R>",
    "AI.MODELGET <R> META BLOB",
    "AI.MODELDEL <D>",
    "AI.INFO <R>",
    "AI.INFO <R> RESETSTAT",
    "AI.INFO <R> FULL",
    "AI.MODELEXECUTE <R> INPUTS 1 <R> OUTPUTS 1 <W>",
    "ai.modelexecute <R> inputs 2 <R> <R> outputs 3 <W> <W> <W> timeout 5",
    "AI.MODELEXECUTE <R> INPUTS 0 OUTPUTS 1 <W>",
    f"AI.MODELRUN <R> INPUTS <R!{_LISTED}> OUTPUTS <W>",
    f"AI.MODELRUN <R> TIMEOUT 5 INPUTS <R!{_LISTED}> <R!{_LISTED}> OUTPUTS <W> <W>",
    "AI.SCRIPTSTORE <W> CPU ENTRY_POINTS 1 f SOURCE s",
    "AI.SCRIPTSTORE <W> CPU TAG SOURCE ENTRY_POINTS 2 KEYS f SOURCE s more",
    "AI.SCRIPTSET <W> CPU SOURCE s",
    "AI.SCRIPTSET <W> CPU TAG t SOURCE s",
    "AI.SCRIPTSET <W> CPU s",
    "AI.SCRIPTGET <R>",
    "AI.SCRIPTGET <R> META SOURCE",
    "AI.SCRIPTDEL <D>",
    "AI.SCRIPTEXECUTE <R> f KEYS 1 <U>",
    "AI.SCRIPTEXECUTE <R> f INPUTS 1 <R> OUTPUTS 2 <W> <W>",
    "ai.scriptexecute <R> f keys 2 <U> <U> inputs 2 <R> <R> args 2 KEYS 1 outputs 1 <W> timeout 5",
    "AI.SCRIPTEXECUTE <R> f INPUTS 0 OUTPUTS 1 <W> ARGS 1 a KEYS 2 <U> <U> TIMEOUT 5",
    "AI.SCRIPTRUN <R> f",
    f"AI.SCRIPTRUN <R> f INPUTS <R!{_ANY}> OUTPUTS <W!{_ANY}>",
    f"AI.SCRIPTRUN <R> f TIMEOUT 5 INPUTS <R!{_ANY}> $ <R!{_ANY}> OUTPUTS <W!{_ANY}> <W!{_ANY}>",
    f"ai.scriptrun <R> f inputs <R!{_ANY}> timeout 5 <R!{_ANY}> outputs <W!{_ANY}>",
    "AI.DAGEXECUTE LOAD 1 <R> |> AI.TENSORGET a",
    "AI.DAGEXECUTE ROUTING <N> |> AI.TENSORSET x STRING 1 VALUES AI.MODELEXECUTE",
    "AI.DAGEXECUTE LOAD 2 <R> <R> ROUTING <N> PERSIST 2 <W> <W> TIMEOUT 5 |> AI.TENSORGET a",
    "ai.dagexecute persist 1 <W> timeout 0 load 1 <R> |> ai.tensorset x float 1",
    f"AI.DAGEXECUTE LOAD 1 <R> |> AI.MODELEXECUTE <R!{_IN_OP}> INPUTS 1 x OUTPUTS 1 y |> "
    f"AI.TENSORSET z STRING 1 BLOB |> |> AI.MODELEXECUTE <R!{_IN_OP}> INPUTS 1 y OUTPUTS 1 x",
    f"AI.DAGEXECUTE ROUTING <N> |> AI.SCRIPTEXECUTE <R!{_IN_OP}> f "
    f"KEYS 2 <U!{_IN_OP}> <U!{_IN_OP}> INPUTS 1 x ARGS 1 a OUTPUTS 1 y |> AI.TENSORGET y",
    f"AI.DAGEXECUTE LOAD 1 <R> |> AI.SCRIPTEXECUTE <R!{_IN_OP}> f INPUTS 1 x KEYS 1 <U!{_IN_OP}>",
    f"AI.DAGEXECUTE_RO LOAD 1 <R> TIMEOUT 5 |> AI.MODELEXECUTE <R!{_IN_OP}> INPUTS 1 a OUTPUTS 1 b",
    "AI.DAGEXECUTE_RO ROUTING <N> LOAD 2 <R> <R> |> AI.TENSORGET x",
    f"AI.DAGRUN |> AI.MODELRUN <R!{_IN_OP}> INPUTS a OUTPUTS b "
    f"|> AI.SCRIPTRUN <R!{_IN_OP}> f INPUTS b OUTPUTS c",
    "AI.DAGRUN LOAD 1 <R> PERSIST 1 <W> ROUTING <N> |> AI.TENSORSET x FLOAT 1",
    f"AI.DAGRUN_RO LOAD 1 <R> ROUTING <N> |> AI.MODELRUN <R!{_IN_OP}> INPUTS a OUTPUTS b",
]

# These have no key.
KEYLESS = ["AI._MODELSCAN", "AI._SCRIPTSCAN", "AI.CONFIG GET x", "AI.CONFIG MODEL_CHUNK_SIZE 5"]

KEYWORDS = (
    "INPUTS OUTPUTS TIMEOUT LOAD PERSIST ROUTING KEYS ARGS |> META BLOB VALUES BYTES TAG BATCHSIZE "
    "RESETSTAT FULL $ 0 1 2 5 -1 AI.MODELEXECUTE AI.MODELRUN AI.SCRIPTEXECUTE AI.TENSORSET "
    "inputs Outputs load persist routing ai.modelexecute"
).split()


@dataclass(frozen=True)
class Slot:
    """The place of a key."""

    at: int
    """Its position in the command."""
    access: str
    """What is done with the key, as above."""
    never: str
    """The words that no key can be named there, in any case; empty: any will do."""

    def takes(self, name: str) -> bool:
        """Whether a key in this place can have this name."""
        return name.upper() not in self.never.split(",")


@dataclass(frozen=True)
class Form:
    """One way to write a command."""

    text: str

    @property
    def command(self) -> str:
        """The command's name as it is registered."""
        return self.text.split()[0].lower()

    @property
    def slots(self) -> list[Slot]:
        """Where its keys stand, in order."""
        found = ((at, _SLOT.match(word)) for at, word in enumerate(self.text.split()))
        return [Slot(at, match[1], match[2] or "") for at, match in found if match]

    @property
    def keys(self) -> list[Slot]:
        """Its slots without those that only say where to go."""
        return [slot for slot in self.slots if slot.access != "N"]

    def words(self, names: Sequence[str]) -> list[str]:
        """The command with these names in its slots."""
        words = self.text.split()
        for slot, name in zip(self.slots, names, strict=True):
            words[slot.at] = name
        return words

    def names(self) -> list[str]:
        """A name for each slot, none twice, and none a keyword."""
        return [f"k{number}" for number in range(len(self.slots))]

    def namings(self, words: Iterable[str] = KEYWORDS) -> Iterable[list[str]]:
        """Names for the slots: each of these words in each slot alone, and in all at once; and in
        each slot with a count in the next, which together look like a section."""
        yield self.names()
        for word in words:
            places = [number for number, slot in enumerate(self.slots) if slot.takes(word)]
            for place in places:
                yield self._named({place: word})
                if place + 1 < len(self.slots) and self.slots[place + 1].takes("1"):
                    yield self._named({place: word, place + 1: "1"})
            if len(places) > 1:
                yield self._named(dict.fromkeys(places, word))

    def _named(self, words: Mapping[int, str]) -> list[str]:
        return [words.get(number, name) for number, name in enumerate(self.names())]

    def __str__(self) -> str:
        return self.text


FORMS = [Form(text) for text in TEXTS]
