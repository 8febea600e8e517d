# The command `kmem` of gdb: where the run is, and what the heap looks like. What is known of the
# run is defined before this text: AT_OP, OP, HEAP_BYTES, HEADERS and PLACES.
import gdb
import re
import struct

TAKEN = 1 << 63


def read(at, length):
    return gdb.selected_inferior().read_memory(at, length).tobytes()


def places():
    """Addresses of: ops begun, bytes of text, text, heap."""
    if PLACES:
        return PLACES
    # A debugged process says so itself. `info` needs neither debug information nor a language.
    said = gdb.execute("info address KMEM_RIG_DEBUG", to_string=True)
    return struct.unpack("<4Q", read(int(re.search("0x[0-9a-f]+", said)[0], 16), 32))


def op_begun():
    """The number of the op that was begun last. One op, a `table`, was put before the trace's own."""
    return struct.unpack("<I", read(places()[0], 4))[0] - 2


def tables():
    """Each table printed so far, with the op that it was printed after; -1: before the first."""
    length, text = places()[1:3]
    rest = read(text, struct.unpack("<I", read(length, 4))[0])
    while len(rest) >= 8:
        op, size = struct.unpack("<II", rest[:8])
        yield op - 1, rest[8 : 8 + size].decode(errors="replace")
        rest = rest[8 + size :]


class Kmem(gdb.Command):
    """What the rig knows of the run: kmem where, kmem table, kmem chunks."""

    def __init__(self):
        super().__init__("kmem", gdb.COMMAND_DATA, prefix=True)


class Where(gdb.Command):
    """The op that was begun last."""

    def __init__(self):
        super().__init__("kmem where", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        op = op_begun()
        print(f"op {op}" + (f": {OP}" if op == AT_OP else "") + " has begun")


class Table(gdb.Command):
    """The table that the subject printed before the op that was begun last."""

    def __init__(self):
        super().__init__("kmem table", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        op, text = max(tables(), default=(None, ""))
        if op != op_begun() - 1:
            raise gdb.GdbError("there is none: the subject prints none, or there were too many")
        print(f"the table before op {op + 1}:")
        print(text, end="")


class Chunks(gdb.Command):
    """The chunks of the heap as their headers say at this moment, also amid a call."""

    def __init__(self):
        super().__init__("kmem chunks", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not HEADERS:
            raise gdb.GdbError("where headers are is unknown of this subject or heap: see `kmem table`")
        heap, at = places()[3], 0
        while at < HEAP_BYTES:
            word = struct.unpack("<Q", read(heap + at, 8))[0]
            size = word & ~TAKEN
            print(f"{at:#x}: Length = {size:<10} Taken = {str(word >= TAKEN).lower()}")
            if size == 0 or size > HEAP_BYTES - at:
                raise gdb.GdbError(f"the chunk at {at:#x} does not end inside the heap")
            at += size


Kmem()
Where()
Table()
Chunks()
