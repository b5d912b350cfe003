#!/usr/bin/python3
"""Reads event files as TensorBoard does, by lines of its own: records with their checksums, protobuf, and what a session's start makes void.

    event_files.py RUN_FOLDER EPOCHS     the figures against metrics.csv; every step and every epoch is there exactly once
"""
import csv
import glob
import math
import struct
import sys

table = []
for i in range(256):
    for _ in range(8):
        i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
    table.append(i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    with open(path, "rb") as file:
        while head := file.read(12):
            if len(head) < 12:
                return  # a run that was killed may end in the midst of a record
            length, check = struct.unpack("<QI", head)
            assert check == masked(head[:8]), path
            body = file.read(length + 4)
            if len(body) < length + 4:
                return
            assert struct.unpack("<I", body[length:])[0] == masked(body[:length]), path
            yield body[:length]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


folder, epochs = sys.argv[1], int(sys.argv[2])
scalars = {}  # tag -> [(step, value)]
for path in sorted(glob.glob(folder + "/events.out.tfevents.*")):
    for number, record in enumerate(records(path)):
        event = dict(fields(record))
        step = event.get(2, 0)
        assert 1.6e9 < struct.unpack("<d", event[1])[0] < 1e10
        assert (event.get(3) == b"brain.Event:2") == (number == 0)
        if 7 in event and dict(fields(event[7])) == {1: 1}:
            for tag in scalars:
                scalars[tag] = [(s, v) for s, v in scalars[tag] if s < step]
        for _, value in fields(event.get(5, b"")):
            value = dict(fields(value))
            scalars.setdefault(value[1].decode(), []).append((step, struct.unpack("<f", value[2])[0]))

rows = list(csv.DictReader(open(folder + "/metrics.csv")))
assert len(rows) == epochs, len(rows)
steps = int(rows[-1]["step"])
for tag in ("loss", "logit_loss", "embed_loss", "lr", "images_per_s", "peak_memory_mib"):
    found = [s for s, _ in scalars["step/" + tag]]
    assert found == list(range(steps)), (tag, found)
for name in rows[0]:
    expected = [(int(r["step"]), float(r[name])) for r in rows if r[name] != ""]
    found = scalars.get("epoch/" + name, [])
    assert [s for s, _ in found] == [s for s, _ in expected], (name, found, expected)
    assert all(math.isclose(f, e, rel_tol=1e-6, abs_tol=1e-9) for (_, f), (_, e) in zip(found, expected)), (name, found, expected)
per_epoch = steps // epochs
loss = [v for _, v in scalars["step/loss"]]
assert all(math.isfinite(v) for v in loss)
assert abs(loss[0] - float(rows[0]["loss"])) < abs(float(rows[0]["loss"])), "the first step's loss is far from its epoch's"
for name in ("test_balanced_accuracy", "test_head", "test_tail", "positives_head"):
    assert scalars["epoch/" + name], name
print("%d steps, %d epochs, %d tags: each figure once" % (steps, epochs, len(scalars)))
