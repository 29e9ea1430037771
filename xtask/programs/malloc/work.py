"""Ordinary Python: records as dictionaries, text of them and back, sorting, a table of words, small objects."""

import json


class Node:
    def __init__(self, key, left, right):
        self.key, self.left, self.right = key, left, right


def tree(depth):
    if depth == 0:
        return None
    return Node(str(depth), tree(depth - 1), tree(depth - 1))


def count(node):
    return 0 if node is None else 1 + count(node.left) + count(node.right)


total = 0
for turn in range(3):
    records = [
        {"id": i, "name": "record %d" % (i * 7919 % 10007), "tags": [str(i % 5), str(i % 7)], "share": i / 3}
        for i in range(12000)
    ]
    text = json.dumps(records)
    again = json.loads(text)
    assert again == records
    again.sort(key=lambda record: record["name"])
    words = {}
    for word in text.split():
        words[word] = words.get(word, 0) + 1
    total += len(text) + len(words) + again[0]["id"] + count(tree(14))
print("checksum=%d" % total)
