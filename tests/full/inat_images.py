"""A small iNaturalist 2018: train_val2018.tar.gz, train2018.json and val2018.json, long-tailed, of generated JPEGs.

usage: inat_images.py FOLDER
"""
import io
import json
import sys
import tarfile

from PIL import Image

CLASS_COUNTS = (48, 24, 12, 8, 4)
VAL_EVERY = 4


def make_jpeg(label, i):
    """A gradient of the class's colour, a little different each time."""
    width, height = 72 + i % 17, 68 + i % 11
    image = Image.new("RGB", (width, height))
    image.putdata([((40 * label + 2 * x) % 256, (3 * y + 7 * i) % 256, (60 * label + x * y // 16) % 256) for y in range(height) for x in range(width)])
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def main(folder):
    lists = {"train": {"images": [], "annotations": []}, "val": {"images": [], "annotations": []}}
    number = 0
    with tarfile.open(f"{folder}/train_val2018.tar.gz", "w:gz", compresslevel=1) as archive:
        for label, count in enumerate(CLASS_COUNTS):
            for i in range(count):
                split = lists["val" if i % VAL_EVERY == VAL_EVERY - 1 else "train"]
                name = f"train_val2018/Aves/{label}/{number:08x}.jpg"
                content = make_jpeg(label, i)
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
                split["images"].append({"id": number, "file_name": name})
                split["annotations"].append({"id": number, "image_id": number, "category_id": label})
                number += 1
    categories = [{"id": label, "name": f"Species {label}"} for label in range(len(CLASS_COUNTS))]
    for split, content in lists.items():
        with open(f"{folder}/{split}2018.json", "w", encoding="utf-8") as file:
            json.dump(content | {"categories": categories}, file)


if __name__ == "__main__":
    main(sys.argv[1])
