#include "prepare/folders/names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const decodable[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", NULL};
static const char *const foreign[] = {".gif",  ".bmp",  ".dib", ".tif", ".tiff", ".webp",
                                      ".ppm",  ".pgm",  ".pbm", ".pnm", ".heic", ".heif",
                                      ".avif", ".jp2",  ".jxl", ".svg", ".ico",  ".tga",
                                      ".psd",  ".apng", ".jps", ".dng", ".cr2",  NULL};

static bool ends_in(const char *path, const char *const *endings)
{
    const char *dot = strrchr(path, '.');
    for (; dot != NULL && *endings != NULL; endings++)
        if (strcasecmp(dot, *endings) == 0)
            return true;
    return false;
}

elm_name_kind elm_image_name_kind(const char *name)
{
    return ends_in(name, decodable) ? ELM_NAME_IMAGE
           : ends_in(name, foreign) ? ELM_NAME_FOREIGN
                                    : ELM_NAME_OTHER;
}

static bool is_one_of(const char *name, size_t length, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == length && strncasecmp(name, *words, length) == 0)
            return true;
    return false;
}

bool elm_image_name_hidden(const char *name, size_t length)
{
    static const char *const systems[] = {"@eaDir",
                                          "__MACOSX",
                                          "lost+found",
                                          "$RECYCLE.BIN",
                                          "System Volume Information",
                                          "RECYCLER",
                                          "Thumbs.db",
                                          "desktop.ini",
                                          "#recycle",
                                          "#snapshot",
                                          "@Recycle",
                                          "@Recently-Snapshot",
                                          "__pycache__",
                                          "Network Trash Folder",
                                          "Temporary Items",
                                          "ehthumbs.db",
                                          "Icon\r",
                                          NULL};
    return (length > 0 && name[0] == '.') || is_one_of(name, length, systems);
}

bool elm_image_path_hidden(const char *path, bool *plain)
{
    bool hidden = false, attributes = false;
    for (const char *part = path; *part != '\0';) {
        const size_t length = strcspn(part, "/");
        hidden |= elm_image_name_hidden(part, length);
        attributes |= (length > 2 && strncmp(part, "._", 2) == 0) ||
                      (length == 8 && strncmp(part, "__MACOSX", 8) == 0);
        part += length + (part[length] == '/');
    }
    if (plain != NULL)
        *plain = attributes;
    return hidden;
}

/* Cuts the next word off a name: letters of one kind of case, "trainSet" being two; numbers and
 * signs are passed over. */
static size_t next_word(const char **at, const char *end)
{
    while (*at < end && !isalpha((unsigned char)**at) && (unsigned char)**at < 0x80)
        (*at)++;
    const char *from = *at, *to = from;
    while (to < end && (isalpha((unsigned char)*to) || (unsigned char)*to >= 0x80) &&
           !(to > from && isupper((unsigned char)*to) && islower((unsigned char)to[-1])))
        to++;
    return (size_t)(to - from);
}

static const struct {
    const char *word;
    int split;
} split_words[] = {{"train", 0},      {"training", 0}, {"trn", 0},     {"val", 1},   {"valid", 1},
                   {"validation", 1}, {"validate", 1}, {"dev", 1},     {"devel", 1}, {"eval", 1},
                   {"evaluation", 1}, {"test", 2},     {"testing", 2}, {"tst", 2}};

static const char *const fillers[] = {
    "images",    "image",   "imgs",    "img",       "pictures", "picture",  "pics",     "photos",
    "photo",     "data",    "set",     "sets",      "jpg",      "jpeg",     "jpegs",    "png",
    "pngs",      "files",   "folder",  "dir",       "split",    "new",      "raw",      "full",
    "original",  "resized", "crop",    "cropped",   "part",     "batch",    "small",    "mini",
    "tiny",      "samples", "aug",     "augmented", "clean",    "final",    "subset",   "sampled",
    "processed", "labeled", "labeled", "dataset",   "the",      "ilsvrc",   "imagenet", "inat",
    "cifar",     "lt",      "v",       "x",         "px",       "examples", "class",    "classes",
    NULL};

/* A split's word alone, or with a filler before or behind it and nothing between: "trainset",
 * "imagestrain". */
static int split_of_word(const char *word, size_t length, const char **found)
{
    for (size_t i = 0; i < sizeof split_words / sizeof *split_words; i++) {
        const size_t own = strlen(split_words[i].word);
        *found = split_words[i].word;
        if (own > length)
            continue;
        if (strncasecmp(word, *found, own) == 0 &&
            (own == length || is_one_of(word + own, length - own, fillers)))
            return split_words[i].split;
        if (strncasecmp(word + length - own, *found, own) == 0 &&
            is_one_of(word, length - own, fillers))
            return split_words[i].split;
    }
    return -1;
}

int elm_image_name_split(const char *name, size_t length, const char **word)
{
    const char *at = name, *end = name + length, *found = NULL;
    int split = -1;
    for (size_t count; (count = next_word(&at, end)) > 0; at += count) {
        const int own = split_of_word(at, count, &found);
        if (own < 0 && !is_one_of(at, count, fillers))
            return -1;
        if (own >= 0 && split >= 0) /* "train_val" is neither */
            return -1;
        if (own >= 0) {
            split = own;
            if (word != NULL)
                *word = found;
        }
    }
    return split;
}

bool elm_image_name_filler(const char *name)
{
    const char *at = name, *end = name + strlen(name);
    int words = 0;
    for (size_t count; (count = next_word(&at, end)) > 0; at += count, words++)
        if (!is_one_of(at, count, fillers))
            return false;
    return words > 0;
}

int elm_image_name_split_loose(const char *name, size_t length)
{
    const char *at = name, *end = name + length, *found = NULL;
    int split = -1;
    for (size_t count; (count = next_word(&at, end)) > 0; at += count) {
        const int own = split_of_word(at, count, &found);
        if (own >= 0 && split >= 0 && own != split)
            return -1;
        split = own >= 0 ? own : split;
    }
    return split;
}
