/* Folders without lists, links, and names of classes: what becomes of them is known beforehand
 * for each. */
#include "unit/prepare_fixture.h"

enum { PATHS = 16 };

typedef struct tree {
    const char *what;
    const char *paths[PATHS];
    const char *layout;  /* --layout, or NULL */
    const char *refused; /* a part of the message, or NULL */
    const char *classes; /* "a b" */
    int train, val, test, left_out;
} tree;

static const tree trees[] = {
    {"usual",
     {"d/train/a/1.jpg", "d/train/b/2.jpg", "d/val/a/3.jpg", "d/test/b/4.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     1,
     1,
     0},
    {"a folder a class", {"x/y/a/1.jpg", "x/y/b/2.jpg"}, NULL, NULL, "a b", 2, 0, 0, 0},
    {"loose images around the only split",
     {"1.jpg", "d/2.jpg", "d/train/a/3.jpg", "d/train/b/4.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     0,
     0,
     2},
    {"one class, chosen",
     {"d/2.jpg", "d/train/a/3.jpg", "d/train/b/4.jpg"},
     "classes",
     NULL,
     "d",
     3,
     0,
     0,
     0},
    {"other words",
     {"Training/a/1.jpg", "Training/b/2.jpg", "DEV/a/3.jpg", "Testing/b/4.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     1,
     1,
     0},
    {"numbers and suffixes",
     {"train2018/a/1.jpg", "train2018/b/2.jpg", "images_val/a/3.jpg", "testSet-v2/b/4.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     1,
     1,
     0},
    {"as ImageNet has them",
     {"ILSVRC2012_img_train/a/1.jpg", "ILSVRC2012_img_train/b/2.jpg", "ILSVRC2012_img_val/a/3.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     1,
     0,
     0},
    {"deeper folders belong to the class",
     {"train/dog/2020/1.jpg", "train/dog/2021/2.jpg", "train/cat/2020/3.jpg"},
     NULL,
     NULL,
     "cat dog",
     3,
     0,
     0,
     0},
    {"the last folder",
     {"train/dog/2020/1.jpg", "train/dog/2021/2.jpg"},
     "last",
     NULL,
     "2020 2021",
     2,
     0,
     0,
     0},
    {"unlabeled test",
     {"train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg", "test/4.jpg"},
     NULL,
     NULL,
     "cat dog",
     2,
     0,
     0,
     2},
    {"unlabeled beside classes",
     {"cat/1.jpg", "dog/2.jpg", "test/3.jpg"},
     NULL,
     "--layout splits",
     NULL,
     0,
     0,
     0,
     0},
    {"chosen",
     {"cat/1.jpg", "dog/2.jpg", "test/3.jpg"},
     "classes",
     NULL,
     "cat dog test",
     3,
     0,
     0,
     0},
    {"trains", {"bus/1.jpg", "car/2.jpg", "train/3.jpg"}, NULL, NULL, "bus car train", 3, 0, 0, 0},
    {"names with such words",
     {"bullet train/1.jpg", "test_tube/2.jpg", "trainers/3.jpg"},
     NULL,
     NULL,
     "bullet_train test_tube trainers",
     3,
     0,
     0,
     0},
    {"extra",
     {"train/cat/1.jpg", "train/dog/2.jpg", "extra/cat/3.jpg"},
     NULL,
     "two ways",
     NULL,
     0,
     0,
     0,
     0},
    {"extra left out",
     {"train/cat/1.jpg", "train/dog/2.jpg", "extra/cat/3.jpg"},
     "splits",
     NULL,
     "cat dog",
     2,
     0,
     0,
     1},
    {"reversed",
     {"dog/train/1.jpg", "dog/test/2.jpg", "cat/train/3.jpg"},
     NULL,
     "--layout class-split",
     NULL,
     0,
     0,
     0,
     0},
    {"reversed, chosen",
     {"dog/train/1.jpg", "dog/test/2.jpg", "cat/train/3.jpg"},
     "class-split",
     NULL,
     "cat dog",
     2,
     0,
     1,
     0},
    {"a wrapper in each split",
     {"train/images/dog/1.jpg", "train/images/cat/2.jpg", "val/images/cat/3.jpg"},
     NULL,
     "--layout last",
     NULL,
     0,
     0,
     0,
     0},
    {"two names of one split",
     {"train/a/1.jpg", "val/a/2.jpg", "dev/a/3.jpg"},
     NULL,
     "same split",
     NULL,
     0,
     0,
     0,
     0},
    {"words among others, with folders",
     {"seg_train/a/1.jpg", "seg_train/b/2.jpg", "seg_test/a/3.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     0,
     1,
     0},
    {"and something beside",
     {"seg_train/a/1.jpg", "seg_test/a/3.jpg", "seg_pred/4.jpg"},
     NULL,
     "--layout splits",
     NULL,
     0,
     0,
     0,
     0},
    {"left out by choice",
     {"seg_train/a/1.jpg", "seg_test/a/3.jpg", "seg_pred/4.jpg"},
     "splits",
     NULL,
     "a",
     1,
     0,
     1,
     1},
    {"twice over",
     {"seg_train/seg_train/a/1.jpg", "seg_train/seg_train/b/2.jpg", "seg_test/seg_test/a/3.jpg"},
     NULL,
     "--layout last",
     NULL,
     0,
     0,
     0,
     0},
    {"twice over, chosen",
     {"seg_train/seg_train/a/1.jpg", "seg_train/seg_train/b/2.jpg", "seg_test/seg_test/a/3.jpg"},
     "last",
     NULL,
     "a b",
     2,
     0,
     1,
     0},
    {"no class at all",
     {"train/1.jpg", "test/2.jpg"},
     NULL,
     "no folder of a class",
     NULL,
     0,
     0,
     0,
     0},
    {"tiny ImageNet's val",
     {"train/n1/images/1.jpg", "train/n2/images/2.jpg", "val/images/3.jpg"},
     NULL,
     NULL,
     "n1 n2",
     2,
     0,
     0,
     1},
    {"loose", {"cover.jpg", "a/1.jpg", "b/2.jpg"}, NULL, NULL, "a b", 2, 0, 0, 1},
    {"hidden and systems'",
     {"a/1.jpg", "b/2.jpg", "a/.ipynb_checkpoints/1.jpg", ".git/2.png", "a/@eaDir/1.jpg/T.jpg",
      "lost+found/3.jpg", "$RECYCLE.BIN/4.jpg", ".thumbnails/5.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     0,
     0,
     6},
    {"macOS's files are no images",
     {"a/1.jpg", "b/2.jpg", "__MACOSX/a/._1.jpg", "b/._2.jpg"},
     NULL,
     NULL,
     "a b",
     2,
     0,
     0,
     0},
    {"other kinds",
     {"a/1.jpg", "b/2.jpg", "a/3.gif", "b/4.WEBP", "b/5.tiff"},
     NULL,
     NULL,
     "a b",
     2,
     0,
     0,
     3},
    {"other endings of JPEG", {"a/1.JFIF", "b/2.jpe", "b/3.JPEG"}, NULL, NULL, "a b", 3, 0, 0, 0},
    {"two slashes", {"d//train/a/1.jpg", "./d/train//b/./2.jpg"}, NULL, NULL, "a b", 2, 0, 0, 0},
};

static void write_tree(const char *path, const tree *t)
{
    archive_file file = start_archive(path, "tar");
    open_archive(&file, path);
    for (int i = 0; i < PATHS && t->paths[i] != NULL; i++)
        add_image(&file, t->paths[i], i);
    end_archive(&file);
}

/* Names with "_" for blanks, as `trees` has them. */
static void class_names_of(const char *store_path, char *text, size_t size_bytes)
{
    elm_store *store = NULL;
    elm_error err = {0};
    assert_int_equal(elm_store_open(&store, store_path, &err), 0);
    size_t used = 0;
    for (int c = 0; c < elm_store_describe(store)->classes; c++)
        used += (size_t)snprintf(text + used, size_bytes - used, "%s%s", c > 0 ? " " : "",
                                 elm_store_class_name(store, c));
    elm_store_close(store);
}

static int64_t count_of(const char *store_path, const char *split)
{
    elm_store *store = NULL;
    elm_error err = {0};
    assert_int_equal(elm_store_open(&store, store_path, &err), 0);
    const int64_t count = elm_store_count(store, split);
    elm_store_close(store);
    return count;
}

static int left_out(const char *report_path)
{
    FILE *file = fopen(report_path, "r");
    char line[600];
    int lines = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        lines += strncmp(line, "macOS attributes", 16) != 0;
    if (file != NULL)
        fclose(file);
    return lines;
}

static bool same_names(const char *found, const char *expected)
{
    for (; *found != '\0' && *expected != '\0'; found++, expected++)
        if (*found != *expected && !(*found == ' ' && *expected == '_'))
            return false;
    return *found == *expected;
}

static void check_tree(const tree *t, const char *path, const char *out)
{
    char names[400], report[600];
    preparation p = {{path}, {.layout = t->layout}, true};
    snprintf(report, sizeof report, "%s", scratch_path("tree-report.txt"));
    if (t->refused != NULL) {
        refused("pictures", out, &p, ELM_EXIT_FAILURE, t->refused);
        return;
    }
    prepare("pictures", out, &p);
    class_names_of(out, names, sizeof names);
    if (!same_names(names, t->classes))
        fail_msg("%s: classes \"%s\" instead of \"%s\"", t->what, names, t->classes);
    const int64_t train = count_of(out, "train"), val = count_of(out, "val"),
                  test = count_of(out, "test");
    if (train != t->train || val != t->val || test != t->test || left_out(report) != t->left_out)
        fail_msg("%s: %d, %d, %d images and %d left out", t->what, (int)train, (int)val, (int)test,
                 left_out(report));
    elm_error err;
    p.image_files.strict = true;
    assert_int_equal(run("pictures", out, &p, &err), t->left_out > 0 ? -1 : 0);
}

static void folders_are_read(void **state)
{
    (void)state;
    char path[600], out[600];
    snprintf(path, sizeof path, "%s", scratch_path("tree.tar"));
    snprintf(out, sizeof out, "%s", scratch_path("tree.h5"));
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        write_tree(path, &trees[i]);
        check_tree(&trees[i], path, out);
    }
}

static void add_link(archive_file *file, const char *path, const char *target, bool hard)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, path);
    archive_entry_set_filetype(entry, hard ? AE_IFREG : AE_IFLNK);
    archive_entry_set_perm(entry, 0777);
    archive_entry_set_size(entry, 0);
    if (hard)
        archive_entry_set_hardlink(entry, target);
    else
        archive_entry_set_symlink(entry, target);
    assert_true(archive_write_header(file->writer, entry) >= ARCHIVE_WARN);
    archive_entry_free(entry);
}

static const struct {
    const char *path, *target;
    bool hard;
    int image; /* that it is, or -1: left out */
} links[] = {
    {"s/ant/2.jpg", "../bee/1.jpg", false, 1},
    {"s/ant/3.jpg", "2.jpg", false, 1},
    {"s/ant/4.jpg", "4.jpg", false, -1},
    {"s/ant/5.jpg", "/etc/passwd", false, -1},
    {"s/ant/6.jpg", "../../../x.jpg", false, -1},
    {"s/ant/7.jpg", "/s/bee/1.jpg", false, 1},
    {"s/ant/8.jpg", "./../ant//1.jpg", false, 0},
    {"s/pool.jpg", "../blobs/0a1b", false, -1},
    {"s/bee/2.jpg", "../../blobs/0a1b", false, 2},
    {"s/cat", "bee", false, 1},
    {"s/loop", ".", false, -1},
};

/* An image by its label and name. */
static void expect_image(const char *out, const char *name, int i)
{
    loaded l = load(out, "train");
    char found[600];
    elm_error err = {0};
    for (int64_t row = 0; row < l.count; row++) {
        assert_int_equal(elm_store_image_name(l.store, "train", row, found, sizeof found, &err), 0);
        if (strcmp(found, name) != 0)
            continue;
        expect_row(&l, "train", row, i, name, l.labels[row]);
        unload(&l);
        return;
    }
    fail_msg("%s is not there", name);
}

static void links_lead_to_files(void **state)
{
    (void)state;
    static const char *const kinds[] = {"tar", "tar.gz", "zip", "7z", "cpio"};
    for (int k = 0; k < 5; k++) {
        char path[600], out[600];
        snprintf(path, sizeof path, "%s/links.%s", scratch_folder, kinds[k]);
        snprintf(out, sizeof out, "%s/links-%s.h5", scratch_folder, kinds[k]);
        archive_file file = start_archive(path, kinds[k]);
        open_archive(&file, path);
        for (size_t i = 0; i < sizeof links / sizeof *links; i++)
            add_link(&file, links[i].path, links[i].target, links[i].hard);
        add_image(&file, "s/ant/1.jpg", 0);
        add_image(&file, "s/bee/1.jpg", 1);
        if (k < 2)
            add_link(&file, "s/ant/9.jpg", "s/bee/1.jpg", true);
        add_image(&file, "blobs/0a1b", 2);
        end_archive(&file);
        prepare("pictures", out, &(preparation){{path}, {.copy = k == 0}, false});
        char names[100];
        class_names_of(out, names, sizeof names);
        assert_string_equal(names, "ant bee cat");
        for (size_t i = 0; i < sizeof links / sizeof *links; i++)
            if (links[i].image >= 0 && strcmp(links[i].path, "s/cat") != 0)
                expect_image(out, links[i].path, links[i].image);
        expect_image(out, "s/cat/1.jpg", 1);
        expect_image(out, "s/cat/2.jpg", 2);
        if (k < 2)
            expect_image(out, "s/ant/9.jpg", 1);
        assert_int_equal(count_of(out, "train"), 9 + (k < 2));
        snprintf(path, sizeof path, "%s/links-%s-report.txt", scratch_folder, kinds[k]);
        assert_int_equal(left_out(path), 5);
    }
}

/* What lists name may be a link, too. */
static void listed_links(void **state)
{
    (void)state;
    char path[600], list[600], out[600];
    snprintf(path, sizeof path, "%s", scratch_path("pool.tar"));
    snprintf(list, sizeof list, "%s", scratch_path("pool.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("pool.h5"));
    archive_file file = start_archive(path, "tar");
    open_archive(&file, path);
    add_image(&file, "blobs/0", 0);
    add_image(&file, "blobs/1", 1);
    add_link(&file, "a/1.jpg", "../blobs/0", false);
    add_link(&file, "b/1.jpg", "../blobs/1", false);
    add_link(&file, "b/2.jpg", "../blobs/0", false);
    end_archive(&file);
    write_text(list, "a/1.jpg 0\nb/1.jpg 1\nb/2.jpg 1\n");
    prepare("pictures", out, &(preparation){{path}, {.lists = {list}, .strict = true}, false});
    loaded train = load(out, "train");
    assert_int_equal(train.count, 3);
    expect_row(&train, "train", 0, 0, "a/1.jpg", 0);
    expect_row(&train, "train", 1, 1, "b/1.jpg", 1);
    expect_row(&train, "train", 2, 0, "b/2.jpg", 1);
    unload(&train);
}

/* cpio: the first names of a file with several come without its bytes. */
static void names_of_one_file(void **state)
{
    (void)state;
    char path[600], out[600];
    snprintf(path, sizeof path, "%s", scratch_path("names.cpio"));
    snprintf(out, sizeof out, "%s", scratch_path("names.h5"));
    struct archive *writer = archive_write_new();
    assert_int_equal(archive_write_set_format_cpio_newc(writer), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(writer, path), ARCHIVE_OK);
    static const char *const names[] = {"a/1.jpg", "b/1.jpg", "b/2.jpg"};
    image_file image = small_image(3);
    for (int i = 0; i < 3; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, names[i]);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_ino(entry, 77);
        archive_entry_set_dev(entry, 5);
        archive_entry_set_nlink(entry, 3);
        archive_entry_set_size(entry, i == 2 ? (la_int64_t)image.size_bytes : 0);
        assert_int_equal(archive_write_header(writer, entry), ARCHIVE_OK);
        if (i == 2)
            assert_int_equal(archive_write_data(writer, image.bytes, image.size_bytes),
                             image.size_bytes);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(writer), ARCHIVE_OK);
    archive_write_free(writer);
    free(image.bytes);
    prepare("pictures", out, &(preparation){{path}, {.strict = true}, false});
    for (int i = 0; i < 3; i++)
        expect_image(out, names[i], 3);
}

static void linked_folders_on_disk(void **state)
{
    (void)state;
    char out[600], folder[600], command[4000];
    snprintf(out, sizeof out, "%s", scratch_path("disk.h5"));
    snprintf(folder, sizeof folder, "%s", scratch_path("disk"));
    const tree t = {.paths = {"train/ant/1.jpg", "far/bee/2.jpg"}};
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("disk.tar"));
    write_tree(path, &t);
    snprintf(command, sizeof command,
             "mkdir %s && tar -C %s -xf %s && cd %s/train && ln -s ../far/bee bee && ln -s . loop "
             "&& ln -s 1.jpg ant/3.jpg && ln -s gone "
             "ant/4.jpg",
             folder, folder, path, folder);
    assert_int_equal(system(command), 0);
    snprintf(folder, sizeof folder, "%s/disk/train", scratch_folder);
    prepare("pictures", out, &(preparation){.archives = {folder}});
    expect_image(out, "ant/1.jpg", 0);
    expect_image(out, "ant/3.jpg", 0);
    expect_image(out, "bee/2.jpg", 1);
    assert_int_equal(count_of(out, "train"), 3);
    assert_int_equal(left_out(scratch_path("disk-report.txt")), 2);
}

/* Archives in archives, each packed otherwise; and a folder of them. */
static void any_nesting(void **state)
{
    (void)state;
    char outer[600], out[600];
    snprintf(outer, sizeof outer, "%s", scratch_path("nested.tar.gz"));
    snprintf(out, sizeof out, "%s", scratch_path("nested.h5"));
    archive_file zip = start_archive(NULL, "zip"), packed = start_archive(NULL, "tar.gz"),
                 middle = start_archive(NULL, "tar");
    open_archive(&zip, NULL);
    add_image(&zip, "1.jpg", 1);
    end_archive(&zip);
    open_archive(&packed, NULL);
    add_image(&packed, "2.jpg", 2);
    end_archive(&packed);
    open_archive(&middle, NULL);
    add_file(&middle, "dog.zip", zip.memory, zip.used);
    end_archive(&middle);
    archive_file file = start_archive(outer, "tar.gz");
    open_archive(&file, outer);
    add_file(&file, "train/cat.tgz", packed.memory, packed.used);
    add_file(&file, "train.tar", middle.memory, middle.used);
    add_file(&file, "train/._cat.tgz", "attributes", 10);
    end_archive(&file);
    prepare("pictures", out, &(preparation){{outer}, {.strict = true}, false});
    expect_image(out, "train/cat/2.jpg", 2);
    expect_image(out, "train/dog/1.jpg", 1);
    snprintf(outer, sizeof outer, "%s", scratch_path("classes"));
    assert_int_equal(mkdir(outer, 0777), 0);
    write_bytes(scratch_path("classes/bee.zip"), zip.memory, zip.used);
    write_bytes(scratch_path("classes/ant.tar.gz"), packed.memory, packed.used);
    prepare("pictures", out, &(preparation){{outer}, {.strict = true}, true});
    expect_image(out, "ant/2.jpg", 2);
    expect_image(out, "bee/1.jpg", 1);
    free(zip.memory);
    free(packed.memory);
    free(middle.memory);
}

/* Several archives, each of a split: their names say of which. */
static void archives_of_splits(void **state)
{
    (void)state;
    static const tree parts[] = {{.paths = {"a/1.jpg", "b/2.jpg"}},
                                 {.paths = {"a/1.jpg", "b/3.jpg"}}};
    char path[2][600], out[600];
    snprintf(path[0], sizeof path[0], "%s", scratch_path("Train.tar"));
    snprintf(path[1], sizeof path[1], "%s", scratch_path("test_images.tar"));
    snprintf(out, sizeof out, "%s", scratch_path("parts.h5"));
    for (int i = 0; i < 2; i++)
        write_tree(path[i], &parts[i]);
    prepare("pictures", out, &(preparation){{path[0], path[1]}, {.strict = true}, false});
    expect_image(out, "Train/b/2.jpg", 1);
    assert_int_equal(count_of(out, "train"), 2);
    assert_int_equal(count_of(out, "test"), 2);
}

/* A file that cannot be read is named once, and each link to it. */
static void links_to_damage(void **state)
{
    (void)state;
    char path[600], out[600], report[600], text[4000];
    snprintf(path, sizeof path, "%s", scratch_path("damage.tar"));
    snprintf(out, sizeof out, "%s", scratch_path("damage.h5"));
    snprintf(report, sizeof report, "%s", scratch_path("damage-report.txt"));
    archive_file file = start_archive(path, "tar");
    open_archive(&file, path);
    add_image(&file, "a/1.jpg", 1);
    add_file(&file, "a/2.jpg", "damaged", 7);
    add_image(&file, "b/1.jpg", 2);
    add_link(&file, "b/2.jpg", "../a/2.jpg", false);
    add_link(&file, "b/3.jpg", "a/2.jpg", true);
    end_archive(&file);
    prepare("pictures", out, &(preparation){{path}, {.lists = {NULL}}, true});
    FILE *lines = fopen(report, "r");
    assert_non_null(lines);
    text[fread(text, 1, sizeof text - 1, lines)] = '\0';
    fclose(lines);
    assert_string_equal(text, "unreadable: a/2.jpg: neither JPEG nor PNG\nunreadable: b/2.jpg: a "
                              "link to a file that is unreadable\n"
                              "unreadable: b/3.jpg: a link to a file that is unreadable\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_read),  cmocka_unit_test(links_lead_to_files),
        cmocka_unit_test(listed_links),      cmocka_unit_test(links_to_damage),
        cmocka_unit_test(names_of_one_file), cmocka_unit_test(linked_folders_on_disk),
        cmocka_unit_test(any_nesting),       cmocka_unit_test(archives_of_splits),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
