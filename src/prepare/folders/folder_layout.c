#include "prepare/folders/folder_layout.h"

#include <stdio.h>
#include <string.h>

#include "base/text/utf8.h"
#include "prepare/folders/names.h"
#include "store/format.h"

enum { SHOWN_BYTES = 80 };

/** A folder below the one that is looked at. */
typedef struct child {
    const char *name;
    size_t length;
    int split;        /* that its name means, or -1 */
    const char *word; /* by which one */
    int64_t direct, deeper;
    int folders, split_folders; /* in it, with images; of these, named as splits are */
} child;

/** Goes through the folders below a prefix, one after the other: the paths are sorted. */
typedef struct children {
    const char *const *paths;
    int64_t count, at, loose;
    const char *prefix;
    size_t prefix_length;
} children;

static children children_of(const char *const *paths, int64_t count, const char *prefix)
{
    return (children){
        .paths = paths, .count = count, .prefix = prefix, .prefix_length = strlen(prefix)};
}

static bool is_in(const char *path, const char *prefix, size_t length)
{
    return strncmp(path, prefix, length) == 0;
}

static void count_path(child *c, const char *rest, const char **last, size_t *last_length)
{
    const char *slash = strchr(rest, '/');
    if (slash == NULL) {
        c->direct++;
        return;
    }
    c->deeper++;
    if (*last != NULL && (size_t)(slash - rest) == *last_length &&
        strncmp(rest, *last, *last_length) == 0)
        return;
    *last = rest;
    *last_length = (size_t)(slash - rest);
    c->folders++;
    c->split_folders += elm_image_name_split(rest, *last_length, NULL) >= 0;
}

static bool next_child(children *walk, child *out)
{
    *out = (child){.split = -1};
    const char *last = NULL;
    size_t last_length = 0;
    for (; walk->at < walk->count; walk->at++) {
        const char *path = walk->paths[walk->at];
        if (!is_in(path, walk->prefix, walk->prefix_length))
            continue;
        const char *rest = path + walk->prefix_length, *slash = strchr(rest, '/');
        const size_t length = slash != NULL ? (size_t)(slash - rest) : 0;
        if (out->name != NULL &&
            (slash == NULL || length != out->length || strncmp(rest, out->name, length) != 0))
            return true;
        if (slash == NULL) {
            walk->loose++;
            continue;
        }
        if (out->name == NULL) {
            out->name = rest;
            out->length = length;
            out->split = elm_image_name_split(rest, length, &out->word);
        }
        count_path(out, slash + 1, &last, &last_length);
    }
    return out->name != NULL;
}

/** What the folders below a prefix are, taken together. */
typedef struct survey {
    int folders, splits, flat_splits;
    int reversed; /* folders that hold nothing but folders named as splits are */
    /* folders without an image of their own that are loosely named as splits are; which splits */
    int loose_deep, loose_mask;
    int64_t loose;
    child first, split, plain; /* one of each */
    const char *words[STORE_SPLITS];
    bool two_words; /* two names for one split */
} survey;

static survey survey_of(const char *const *paths, int64_t count, const char *prefix)
{
    survey s = {0};
    child c;
    children walk = children_of(paths, count, prefix);
    while (next_child(&walk, &c)) {
        s.first = s.folders++ == 0 ? c : s.first;
        s.reversed += c.folders > 0 && c.split_folders == c.folders && c.direct == 0;
        const int loose = c.direct == 0 ? elm_image_name_split_loose(c.name, c.length) : -1;
        s.loose_deep += loose >= 0;
        s.loose_mask |= loose >= 0 ? 1 << loose : 0;
        if (c.split < 0) {
            s.plain = c;
            continue;
        }
        s.two_words |= s.words[c.split] != NULL && strcmp(s.words[c.split], c.word) != 0;
        s.words[c.split] = c.word;
        s.flat_splits += c.deeper == 0;
        s.split = s.splits++ == 0 || c.deeper > 0 ? c : s.split;
    }
    s.loose = walk.loose;
    return s;
}

int elm_layout_kind_of(const char *name, elm_layout_kind *kind, elm_error *err)
{
    static const char *const names[ELM_LAYOUTS] = {"auto", "splits", "classes", "class-split",
                                                   "last"};
    *kind = ELM_LAYOUT_AUTO;
    for (int i = 0; i < ELM_LAYOUTS; i++)
        if (name == NULL || strcmp(name, names[i]) == 0) {
            *kind = (elm_layout_kind)i;
            return 0;
        }
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "unknown layout (--layout %.40s): give auto, splits, classes, class-split or last", name);
}

/* Folders around all images say nothing. */
static int find_root(elm_layout *layout, const char *const *paths, int64_t count, elm_error *err)
{
    const bool splits = layout->kind == ELM_LAYOUT_AUTO || layout->kind == ELM_LAYOUT_SPLITS;
    layout->root[0] = '\0';
    for (;;) {
        const survey s = survey_of(paths, count, layout->root);
        const child *only = &s.first;
        /* With images of its own it may be the only class, unless a folder in it is a split. */
        const bool class_itself =
            only->direct > 0 && only->folders == 1 && (only->split_folders == 0 || !splits);
        if (s.folders != 1 || only->split >= 0 || only->folders == 0 || class_itself)
            return 0;
        const size_t used = strlen(layout->root);
        if (used + only->length + 2 > sizeof layout->root)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "folders too deep within each other (%.80s...): move them up",
                                 layout->root);
        snprintf(layout->root + used, sizeof layout->root - used, "%.*s/", (int)only->length,
                 only->name);
    }
}

static const char *shown(const child *c, char text[SHOWN_BYTES])
{
    char name[SHOWN_BYTES];
    snprintf(name, sizeof name, "%.*s",
             (int)(c->length < SHOWN_BYTES - 1 ? c->length : SHOWN_BYTES - 1), c->name);
    return elm_utf8_escape(text, SHOWN_BYTES, name);
}

static int refuse(const elm_layout *layout, const survey *s, const char *first, const char *second,
                  elm_error *err)
{
    char split[SHOWN_BYTES] = "", plain[SHOWN_BYTES] = "", root[SHOWN_BYTES];
    if (s->splits > 0)
        shown(&s->split, split);
    if (s->plain.name != NULL)
        shown(&s->plain, plain);
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "the folders can be read in two ways (in %s: %d folders%s%s%s%s): (1) %s; (2) %s. Choose "
        "one, or give lists",
        layout->root[0] != '\0' ? elm_utf8_escape(root, sizeof root, layout->root) : "the root",
        s->folders, split[0] != '\0' ? ", such as " : "", split,
        plain[0] != '\0' ? (split[0] != '\0' ? " and " : ", such as ") : "", plain, first, second);
}

static int split_of(const elm_layout *layout, const char *name, size_t length)
{
    const int split = elm_image_name_split(name, length, NULL);
    return split < 0 && layout->loose ? elm_image_name_split_loose(name, length) : split;
}

/* <split>/<class>: each split's folders. With a single one that holds folders only, it may be a
 * wrapper. */
static int check_splits(const elm_layout *layout, const survey *s, const char *const *paths,
                        int64_t count, elm_error *err)
{
    char prefix[4096 + 512];
    child split;
    children walk = children_of(paths, count, layout->root);
    int wrapped = 0, with_classes = 0, several = 0;
    while (next_child(&walk, &split)) {
        if (split_of(layout, split.name, split.length) < 0 || split.deeper == 0)
            continue;
        snprintf(prefix, sizeof prefix, "%s%.*s/", layout->root,
                 (int)(split.length < 500 ? split.length : 500), split.name);
        const survey inner = survey_of(paths, count, prefix);
        with_classes++;
        wrapped += inner.folders == 1 && inner.first.direct == 0;
        several += inner.first.folders > 1;
    }
    if (s->two_words)
        return refuse(layout, s,
                      "two of them are the same split, and are put together: --layout splits",
                      "all of them are classes: --layout classes", err);
    if (several > 0 && wrapped == with_classes)
        return refuse(layout, s,
                      "each split has one class, whose folder holds folders: --layout splits",
                      "the folders that hold the images are the classes: --layout last", err);
    if (with_classes == 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "no folder of a class in the folders of the splits (%s): images "
                             "that lie directly in train, val or test have "
                             "no class: give lists, or --layout classes if these are the classes",
                             layout->root[0] != '\0' ? layout->root : "the root");
    return 0;
}

/* What is found decides. */
static int choose(elm_layout *layout, const char *const *paths, int64_t count, elm_error *err)
{
    const survey s = survey_of(paths, count, layout->root);
    const int plain = s.folders - s.splits;
    layout->kind = ELM_LAYOUT_CLASSES;
    if (s.splits > 0 && plain == 0) {
        layout->kind = ELM_LAYOUT_SPLITS;
        return check_splits(layout, &s, paths, count, err);
    }
    /* Images of trains, among those of cars: a training set without classes would be of no
     * use. */
    if (s.splits == 1 && s.split.split == 0 && s.flat_splits == 1)
        return 0;
    if (s.splits > 0)
        return refuse(layout, &s,
                      "some are splits, and what lies beside them is left out: --layout splits",
                      "all are classes: --layout classes", err);
    const bool several = (s.loose_mask & (s.loose_mask - 1)) != 0;
    if (several && s.loose_deep == s.folders) { /* "seg_train" and "seg_test", each with folders */
        layout->kind = ELM_LAYOUT_SPLITS;
        layout->loose = true;
        return check_splits(layout, &s, paths, count, err);
    }
    if (several)
        return refuse(layout, &s,
                      "those with a split's word in their name are splits, and the others are left "
                      "out: --layout splits",
                      "all are classes: --layout classes", err);
    if (s.reversed > 0)
        return refuse(layout, &s, "classes, with folders of splits in them: --layout class-split",
                      "classes, and whatever lies in them is for training: --layout classes", err);
    return 0;
}

static void note_deeper(elm_layout *layout, const char *const *paths, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const elm_layout_place place = elm_layout_classify(layout, paths[i]);
        const char *rest = place.problem == NULL ? place.folder + place.length + 1 : "";
        if (strchr(rest, '/') == NULL)
            continue;
        if (layout->deeper++ == 0)
            elm_utf8_escape(layout->deeper_example, sizeof layout->deeper_example, paths[i]);
    }
}

int elm_layout_decide(elm_layout *layout, elm_layout_kind kind, const char *const *paths,
                      int64_t count, elm_error *err)
{
    *layout = (elm_layout){.kind = kind, .images = count, .loose = kind == ELM_LAYOUT_SPLITS};
    if (kind == ELM_LAYOUT_LAST)
        return 0;
    if (find_root(layout, paths, count, err) != 0 ||
        (kind == ELM_LAYOUT_AUTO && choose(layout, paths, count, err) != 0))
        return -1;
    if (layout->kind != ELM_LAYOUT_CLASS_SPLIT)
        note_deeper(layout, paths, count);
    return 0;
}

/* The last folder is the class; the lowest folder above it that is named as a split is, names
 * the split. */
static elm_layout_place classify_last(const char *path)
{
    elm_layout_place place = {0};
    for (const char *part = path, *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
        const int split = place.folder != NULL
                              ? elm_image_name_split_loose(place.folder, (size_t)place.length)
                              : -1;
        place.split = split >= 0 ? split : place.split;
        place.folder = part;
        place.length = (int)(slash - part);
    }
    if (place.folder == NULL)
        place.problem = "in no class's folder";
    return place;
}

static bool take_folder(const char **rest, const char **folder, int *length)
{
    const char *slash = strchr(*rest, '/');
    if (slash == NULL)
        return false;
    *folder = *rest;
    *length = (int)(slash - *rest);
    *rest = slash + 1;
    return true;
}

elm_layout_place elm_layout_classify(const elm_layout *layout, const char *path)
{
    static const char loose[] = "in no class's folder",
                      unlabeled[] = "directly in a split's folder: it has no class";
    elm_layout_place place = {0};
    const char *rest = path + strlen(layout->root), *folder;
    int length;
    if (layout->kind == ELM_LAYOUT_LAST)
        return classify_last(path);
    if (!is_in(path, layout->root, strlen(layout->root)) || !take_folder(&rest, &folder, &length))
        return (elm_layout_place){.problem = loose};
    if (layout->kind == ELM_LAYOUT_SPLITS) {
        place.split = split_of(layout, folder, (size_t)length);
        if (place.split < 0)
            return (elm_layout_place){.problem = "beside the splits' folders"};
        if (!take_folder(&rest, &folder, &length))
            return (elm_layout_place){.problem = unlabeled};
    }
    place.folder = folder;
    place.length = length;
    if (layout->kind == ELM_LAYOUT_CLASS_SPLIT) {
        if (take_folder(&rest, &folder, &length))
            place.split = elm_image_name_split(folder, (size_t)length, NULL);
        else
            place.split = -1;
        if (place.split < 0)
            return (elm_layout_place){.problem = "in no split's folder of its class"};
    }
    return place;
}
