"""What a Python program does with memory: threads, text, numbers, processes."""

import gc
import io
import json
import os
import queue
import re
import subprocess
import sys
import threading
import zlib


def texts():
    words = [f"word{i % 977}-{i}" for i in range(60000)]
    table = {word: [i, str(i), {"n": i}] for i, word in enumerate(words)}
    text = json.dumps(table)
    assert json.loads(text) == table
    found = re.findall(r"word(\d+)-(\d*7)\b", " ".join(words))
    return len(text), len(found), zlib.crc32(text.encode())


def threads():
    results, work = [], queue.Queue()

    def run():
        while (item := work.get()) is not None:
            text = io.StringIO()
            for i in range(item):
                text.write(f"{i * item:x},")
            results.append(zlib.adler32(text.getvalue().encode()))

    crew = [threading.Thread(target=run) for _ in range(6)]
    for thread in crew:
        thread.start()
    for item in range(300):
        work.put(item)
    for _ in crew:
        work.put(None)
    for thread in crew:
        thread.join()
    return sum(results)


def processes():
    def child(n):
        code = f"print(sum(len(str(i) * 3) for i in range({n})))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout

    outputs = [child(n).strip() for n in (10, 20000)]
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, str(len([bytes(1000) for _ in range(2000)])).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return outputs + [os.read(reader, 100).decode()]


def buffers():
    grown = bytearray()
    for i in range(200000):
        grown += i.to_bytes(4, "little")
    packed = zlib.compress(bytes(grown), 6)
    assert zlib.decompress(packed) == grown
    return len(grown), (7**9000) % 1000003


class Node:
    def __init__(self, other):
        self.other = other
        self.data = [0] * 50


def cycles():
    for _ in range(20000):
        node = Node(None)
        node.other = Node(node)
    return gc.collect() >= 0


for part in (texts, threads, processes, buffers, cycles):
    print(part.__name__, part())
