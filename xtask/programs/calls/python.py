"""Calls of C from Python: python.py ctypes|abi|api LIBRARY FOLDER. Nanoseconds for each turn of a loop.

`python.py build SOURCE FOLDER` compiles what cffi needs in its API mode."""

import sys

SIZES = {"16": 16, "4k": 4096, "1m": 1048576}
DECLARED = """
double now(void);
int add(int, int);
int first(const char *);
int first_of(const void *, size_t);
int fails(void);
long each(int, int (*)(int));
size_t strlen(const char *);
"""
MODULE = "_calls"


def time_of(now, run, turns):
    began = now()
    run(turns)
    return now() - began


def measure(now, name, run):
    """As many turns as take 20 ms, seven times; the least counts."""
    n = 1
    while time_of(now, run, range(n)) < 2e7:
        n *= 2
    least = min(time_of(now, run, range(n)) / n for _ in range(7))
    print(f"{name}={least}")


def back(i):
    return i + 1


class Ctypes:
    """The standard library's way."""

    def __init__(self, library):
        import ctypes

        self.c = ctypes
        lib, libc = ctypes.CDLL(library), ctypes.CDLL("libc.so.6")
        self.keeps_errno = ctypes.CDLL(library, use_errno=True)
        number, text, address = ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
        self.kind = ctypes.CFUNCTYPE(number, number)
        for function, result, arguments in [
            (lib.now, ctypes.c_double, []),
            (lib.add, number, [number, number]),
            (lib.first, number, [text]),
            (libc.strlen, ctypes.c_size_t, [text]),
            (lib.first_of, number, [address, ctypes.c_size_t]),
            (self.keeps_errno.fails, number, []),
            (lib.each, ctypes.c_long, [number, self.kind]),
        ]:
            function.restype, function.argtypes = result, arguments
        self.lib, self.strlen = lib, libc.strlen

    def errno(self):
        self.keeps_errno.fails()
        return self.c.get_errno()

    def buffers(self, data):
        kind, first_of = self.c.c_ubyte * len(data), self.lib.first_of
        return lambda: first_of(kind.from_buffer(data), 1)

    def made(self):
        return self.kind(back)

    kept = made


class Cffi:
    """cffi, as it loads a library (ABI) or as it compiles a module (API)."""

    def __init__(self, library, folder):
        if folder is None:
            import cffi

            self.ffi = cffi.FFI()
            self.ffi.cdef(DECLARED)
            self.lib = self.ffi.dlopen(library)
            self.strlen = self.ffi.dlopen("libc.so.6").strlen
        else:
            sys.path.insert(0, folder)
            module = __import__(MODULE)
            self.ffi, self.lib = module.ffi, module.lib
            self.strlen = self.lib.strlen
        self.api = folder is not None

    def errno(self):
        self.lib.fails()
        return self.ffi.errno

    def buffers(self, data):
        from_buffer, first_of = self.ffi.from_buffer, self.lib.first_of
        return lambda: first_of(from_buffer(data), 1)

    def made(self):
        return self.ffi.callback("int (*)(int)", back)

    def kept(self):
        if self.api:
            self.ffi.def_extern(name="back")(back)
            return self.lib.back
        return self.made()

    def handle(self):
        self.ffi.new_handle(back)


def build(source, folder):
    import cffi

    maker = cffi.FFI()
    maker.cdef(DECLARED + 'extern "Python" int back(int);')
    with open(source, encoding="utf-8") as text:
        code = "#include <string.h>\n" + text.read()
    maker.set_source(MODULE, code, extra_compile_args=["-O2"])
    maker.compile(tmpdir=folder)


def measure_all(way):
    now, add, each = way.lib.now, way.lib.add, way.lib.each
    first, strlen, kept = way.lib.first, way.strlen, way.kept()
    assert add(2, 3) == 5 and way.errno() == 2
    assert each(1000, kept) == 500500 and each(1000, way.made()) == 500500

    def turns(name, body):
        measure(now, name, body)

    def loop(r):
        for _ in r:
            pass

    def adds(r):
        for i in r:
            add(i, 1)

    def calls(f, *arguments):
        def run(r):
            for _ in r:
                f(*arguments)

        return run

    def lent(n):
        def run(r):
            for _ in r:
                each(n, way.made())

        return run

    turns("loop", loop)
    turns("add", adds)
    turns("errno", calls(way.errno))
    for name, size in SIZES.items():
        text, touch = b"a" * size, way.buffers(bytearray([7]) * size)
        assert strlen(text) == size and first(text) == 97 and touch() == 7
        turns("string_" + name, calls(first, text))
        turns("strlen_" + name, calls(strlen, text))
        turns("buffer_" + name, calls(touch))
    turns("callbacks", lent(1000))
    turns("kept", calls(each, 1000, kept))
    turns("lend", lent(1))
    turns("made", calls(way.made))
    if isinstance(way, Cffi):
        turns("handle", calls(way.handle))


mode, library, folder = sys.argv[1:]
if mode == "build":
    build(library, folder)
elif mode == "ctypes":
    measure_all(Ctypes(library))
else:
    measure_all(Cffi(library, folder if mode == "api" else None))
