/* Preparing images: tars of tars, compressed archives with JSON, zips and folders, whole, cut
 * off and full of trouble. */
#include "unit/prepare_fixture.h"

static void train_name(char *name, size_t size_bytes, int i)
{
    snprintf(name, size_bytes, "train/n%04d/n%04d_%d.JPEG", image_class(i), image_class(i), i);
}

/* Training lists are in no order of classes; the last image of each class is unlisted. */
static int listed_at(int line)
{
    return line * 7 % IMAGES;
}

static bool is_listed(int i)
{
    return i + 1 < IMAGES && image_class(i + 1) == image_class(i);
}

static void write_lists(void)
{
    char name[100];
    FILE *train = fopen(scratch_path("train.txt"), "w"), *val = fopen(scratch_path("val.txt"), "w"),
         *test = fopen(scratch_path("test.txt"), "w");
    for (int line = 0; line < IMAGES; line++) {
        const int i = listed_at(line);
        train_name(name, sizeof name, i);
        if (is_listed(i))
            fprintf(i % 10 == 0 ? val : train, "%s %d%s\n", name, image_class(i),
                    line % 9 == 0 ? "\r" : "");
    }
    for (int i = 0; i < TEST_IMAGES; i++)
        fprintf(test, "val/ILSVRC2012_val_%08d.JPEG\t%d\n", i, i % IMAGE_CLASSES);
    fprintf(test, "\n# a comment\n");
    fclose(train);
    fclose(val);
    fclose(test);
}

/* As ImageNet's: a tar with a tar of each class, and one of the official validation images. */
static void write_imagenet(const char *train_path, const char *val_path, const char *kind)
{
    archive_file outer = start_archive(train_path, kind);
    open_archive(&outer, train_path);
    for (int c = IMAGE_CLASSES - 1; c >= 0; c--) {
        char name[100];
        archive_file inner = start_archive(NULL, "tar");
        open_archive(&inner, NULL);
        for (int i = 0; i < IMAGES; i++) {
            snprintf(name, sizeof name, "n%04d_%d.JPEG", c, i);
            if (image_class(i) == c)
                add_image(&inner, name, i);
        }
        end_archive(&inner);
        snprintf(name, sizeof name, "n%04d.tar", c);
        add_file(&outer, name, inner.memory, inner.used);
        free(inner.memory);
    }
    end_archive(&outer);
    archive_file val = start_archive(val_path, "tar");
    open_archive(&val, val_path);
    for (int i = TEST_IMAGES - 1; i >= 0; i--) {
        char name[100];
        snprintf(name, sizeof name, "ILSVRC2012_val_%08d.JPEG", i);
        add_image(&val, name, i);
    }
    end_archive(&val);
}

static preparation imagenet(char texts[5][600])
{
    const char *const names[5] = {"ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "train.txt",
                                  "val.txt", "test.txt"};
    for (int i = 0; i < 5; i++)
        snprintf(texts[i], 600, "%s", scratch_path(names[i]));
    return (preparation){{texts[0], texts[1]}, {.lists = {texts[2], texts[3], texts[4]}}, false};
}

static void expect_imagenet(const char *path)
{
    char name[100];
    int64_t row[2] = {0, 0};
    loaded train = load(path, "train"), val = load(path, "val"), test = load(path, "test");
    for (int line = 0; line < IMAGES; line++) {
        const int i = listed_at(line), split = i % 10 == 0;
        train_name(name, sizeof name, i);
        if (is_listed(i))
            expect_row(split ? &val : &train, split ? "val" : "train", row[split]++, i, name,
                       image_class(i));
    }
    assert_int_equal(train.count, row[0]);
    assert_int_equal(val.count, row[1]);
    assert_int_equal(test.count, TEST_IMAGES);
    for (int i = 0; i < TEST_IMAGES; i++) {
        snprintf(name, sizeof name, "val/ILSVRC2012_val_%08d.JPEG", i);
        expect_row(&test, "test", i, i, name, i % IMAGE_CLASSES);
    }
    assert_string_equal(elm_store_describe(train.store)->dataset, "imagenet-lt");
    unload(&train);
    unload(&val);
    unload(&test);
}

static bool exists(const char *name)
{
    return access(scratch_path(name), F_OK) == 0;
}

/* Indexed where they are; copied with --copy, and where the outer archive is compressed. The
 * images are the same. */
static void imagenet_lt(void **state)
{
    (void)state;
    char texts[5][600];
    char out[600];
    snprintf(out, sizeof out, "%s", scratch_path("imagenet.h5"));
    write_lists();
    preparation p = imagenet(texts);
    write_imagenet(texts[0], texts[1], "tar");
    p.image_files.strict = true;
    prepare("imagenet-lt", out, &p);
    expect_imagenet(out);
    elm_store *store = NULL;
    elm_error err = {0};
    assert_int_equal(elm_store_open(&store, out, &err), 0);
    assert_int_equal(elm_store_shard_count(store), 2);
    /* in the store's folder: relative */
    assert_string_equal(elm_store_shard_at(store, 0).path, "ILSVRC2012_img_train.tar");
    elm_store_close(store);
    assert_false(exists("imagenet.h5.journal"));
    assert_false(exists("imagenet-report.txt"));

    p.image_files.copy = p.force = true;
    p.image_files.shard_bytes = 20000;
    prepare("imagenet-lt", out, &p);
    expect_imagenet(out);
    assert_int_equal(elm_store_open(&store, out, &err), 0);
    assert_true(elm_store_shard_count(store) > 4);
    char command[1400];
    for (int i = 0; i < elm_store_shard_count(store); i++) { /* tar itself reads them */
        snprintf(command, sizeof command, "tar tf %s/%s >/dev/null", scratch_folder,
                 elm_store_shard_at(store, i).path);
        assert_int_equal(system(command), 0);
    }
    elm_store_close(store);

    p.image_files.copy = false;
    write_imagenet(texts[0], texts[1], "tar.gz");
    prepare("imagenet-lt", out, &p);
    expect_imagenet(out);

    p.image_files.lists[0] = NULL;
    refused("imagenet-lt", out, &p, ELM_EXIT_USAGE, "--train-list");
    refused("cifar100", scratch_path("x.h5"), &p, ELM_EXIT_USAGE, "--archive, more than once");
    snprintf(command, sizeof command, "rm -f %s/imagenet*", scratch_folder);
    assert_int_equal(system(command), 0);
}

static const char *const inat_names[IMAGE_CLASSES] = {"Aves one", "Aves two", "Insecta three",
                                                      "Plantae four", "Fungi \xc3\xa9"};

static void inat_name(char *name, size_t size_bytes, int i)
{
    snprintf(name, size_bytes, "train_val2018/Aves/%d/%08x.jpg", image_class(i),
             (unsigned)(i * 2654435761u));
}

static void write_json(const char *path, bool val)
{
    char name[100];
    FILE *file = fopen(path, "w");
    fprintf(file, "{\"info\": {\"year\": 2018, \"more\": [1, {\"id\": 3}]}, \"annotations\": [");
    for (int i = IMAGES - 1, first = 1; i >= 0; i--)
        if ((i % 4 == 0) == val) {
            fprintf(file, "%s{\"id\": %d, \"image_id\": %d, \"category_id\": %d}",
                    first ? "" : ", ", i, 1000 + i, image_class(i));
            first = 0;
        }
    fprintf(file, "], \"images\": [");
    for (int i = 0, first = 1; i < IMAGES; i++)
        if ((i % 4 == 0) == val) {
            inat_name(name, sizeof name, i);
            fprintf(file,
                    "%s{\"rights_holder\": \"file_name\", \"file_name\": \"%s\", \"id\": %d, "
                    "\"license\": null, \"area\": 2.5, \"x\": "
                    "{\"id\": 7}}",
                    first ? "" : ",\n", name, 1000 + i);
            first = 0;
        }
    fprintf(file, "], \"categories\": [");
    for (int c = 0; c < IMAGE_CLASSES; c++)
        fprintf(file, "%s{\"id\": %d, \"name\": \"%s\", \"supercategory\": \"name\"}",
                c > 0 ? ", " : "", c, inat_names[c]);
    fprintf(file, "]}\n");
    fclose(file);
}

static void write_inat(const char *path)
{
    char name[100];
    archive_file file = start_archive(path, "tar.gz");
    open_archive(&file, path);
    for (int i = IMAGES - 1; i >= 0; i--) {
        inat_name(name, sizeof name, i);
        add_image(&file, name, i);
    }
    end_archive(&file);
}

static void inat(void **state)
{
    (void)state;
    char archive[600], train_json[600], val_json[600], train_list[600], val_list[600], name[100];
    snprintf(archive, sizeof archive, "%s", scratch_path("train_val2018.tar.gz"));
    snprintf(train_json, sizeof train_json, "%s", scratch_path("train2018.json"));
    snprintf(val_json, sizeof val_json, "%s", scratch_path("val2018.json"));
    snprintf(train_list, sizeof train_list, "%s", scratch_path("iNaturalist18_train.txt"));
    snprintf(val_list, sizeof val_list, "%s", scratch_path("iNaturalist18_val.txt"));
    write_inat(archive);
    write_json(train_json, false);
    write_json(val_json, true);
    FILE *lists[2] = {fopen(train_list, "w"), fopen(val_list, "w")};
    for (int i = 0; i < IMAGES; i++) {
        inat_name(name, sizeof name, i);
        fprintf(lists[i % 4 == 0], "%s %d\n", name, image_class(i));
    }
    fclose(lists[0]);
    fclose(lists[1]);

    for (int json = 1; json >= 0; json--) {
        const char *out = scratch_path(json ? "inat.h5" : "inat-lists.h5");
        const preparation p = {
            {archive},
            {.lists = {json ? train_json : train_list, json ? val_json : val_list},
             .strict = true,
             .shard_bytes = 9000},
            false};
        prepare("inat2018", out, &p);
        loaded train = load(out, "train"), test = load(out, "test");
        int64_t row[2] = {0, 0};
        for (int i = 0; i < IMAGES; i++) {
            inat_name(name, sizeof name, i);
            expect_row(i % 4 == 0 ? &test : &train, i % 4 == 0 ? "test" : "train",
                       row[i % 4 == 0]++, i, name, image_class(i));
        }
        assert_int_equal(train.count + test.count, IMAGES);
        assert_int_equal(elm_store_count(train.store, "val"), 0);
        for (int c = 0; c < IMAGE_CLASSES; c++) {
            char number[16];
            snprintf(number, sizeof number, "%d", c);
            assert_string_equal(elm_store_class_name(train.store, c),
                                json ? inat_names[c] : number);
        }
        unload(&train);
        unload(&test);
    }
}

/* A folder a class, packed in several ways, with and without folders for the splits. */
static void folders(void **state)
{
    (void)state;
    const char *const kinds[] = {"tar", "tar.gz", "zip", "folder"};
    /* by strcmp Banana comes first */
    const char *const classes[] = {"apple pie", "Banana", "cherry", "date", "elder"};
    const int numbers[] = {1, 0, 2, 3, 4};
    for (int k = 0; k < 4; k++) {
        char path[600], out[600], name[200], command[4000];
        snprintf(path, sizeof path, "%s/fruit.%s", scratch_folder, kinds[k]);
        snprintf(out, sizeof out, "%s/fruit-%s.h5", scratch_folder, kinds[k]);
        if (k < 3) {
            archive_file file = start_archive(path, kinds[k]);
            open_archive(&file, path);
            for (int i = 0; i < IMAGES; i++) {
                snprintf(name, sizeof name, "./data/%s/%s/%03d.jpg", i % 3 == 2 ? "val" : "train",
                         classes[image_class(i)], i);
                add_image(&file, name, i);
            }
            add_file(&file, "data/readme.txt", "hello", 5);
            end_archive(&file);
        } else {
            snprintf(command, sizeof command,
                     "mkdir -p %s && tar -C %s -xf %s/fruit.tar && ln -s /nowhere "
                     "'%s/data/train/cherry/link.jpg'",
                     path, path, scratch_folder, path);
            assert_int_equal(system(command), 0);
        }
        prepare("pictures", out, &(preparation){{path}, {.shard_bytes = 30000}, false});
        loaded train = load(out, "train"), val = load(out, "val");
        assert_int_equal(train.count + val.count, IMAGES);
        assert_int_equal(train.count, 80);
        int64_t row[2] = {0, 0};
        for (int place = 0; place < IMAGE_CLASSES; place++)
            for (int i = 0; i < IMAGES; i++) {
                const int c = image_class(i), split = i % 3 == 2;
                snprintf(name, sizeof name, "data/%s/%s/%03d.jpg", split ? "val" : "train",
                         classes[c], i);
                if (numbers[c] == place)
                    expect_row(split ? &val : &train, split ? "val" : "train", row[split]++, i,
                               name, place);
            }
        assert_string_equal(elm_store_class_name(train.store, 0), "Banana");
        unload(&train);
        unload(&val);
    }
    char report[400] = "";
    FILE *file = fopen(scratch_path("fruit-folder-report.txt"), "r");
    assert_non_null(file);
    assert_non_null(fgets(report, sizeof report, file));
    assert_non_null(strstr(report, "data/train/cherry/link.jpg: a symbolic link"));
    assert_null(fgets(report, sizeof report, file));
    fclose(file);
}

static void read_report(const char *path, char *text, size_t size_bytes)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, size_bytes - 1, file)] = '\0';
    fclose(file);
}

/* Everything that may be wrong at once: each is named in the report, the rest becomes a store;
 * with --strict none does. */
static void troubles(void **state)
{
    (void)state;
    char path[600], list[600], out[600], report_path[600], report[4000];
    snprintf(path, sizeof path, "%s", scratch_path("troubles.tar"));
    snprintf(list, sizeof list, "%s", scratch_path("troubles.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("troubles.h5"));
    snprintf(report_path, sizeof report_path, "%s", scratch_path("troubles-report.txt"));
    image_file jpeg = small_image(0);
    archive_file file = start_archive(path, "tar");
    open_archive(&file, path);
    add_image(&file, "a/1.jpg", 1);
    add_file(&file, "a/cut.jpg", jpeg.bytes, jpeg.size_bytes - 40);
    add_file(&file, "a/page.jpg", "<html>404</html>", 16);
    add_file(&file, "b/empty.jpg", "", 0);
    add_image(&file, "../../etc/evil.jpg", 2);
    add_image(&file, "b/../../evil.jpg", 2);
    add_image(&file, "/abs/evil.jpg", 3);
    add_image(&file, "b/2.jpg", 2);
    add_image(&file, "a/1.jpg", 3);
    add_image(&file, "b/unlisted.jpg", 3);
    add_file(&file, "b/anim.gif", "GIF89a", 6);
    end_archive(&file);
    free(jpeg.bytes);
    write_text(list, "a/1.jpg 0\na/cut.jpg 0\na/page.jpg 0\nb/empty.jpg 1\nb/2.jpg 1\nb/gone.jpg "
                     "1\nb/2.jpg 1\n../evil.jpg "
                     "1\n/abs/evil.jpg 1\nb/anim.gif 1\n");
    preparation p = {{path}, {.lists = {list}, .strict = true}, false};
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "--strict");
    assert_int_not_equal(access(out, F_OK), 0);
    p.image_files.strict = false;
    prepare("pictures", out, &p);
    loaded train = load(out, "train");
    assert_int_equal(train.count, 2);
    expect_row(&train, "train", 0, 1, "a/1.jpg", 0);
    expect_row(&train, "train", 1, 2, "b/2.jpg", 1);
    assert_string_equal(elm_store_class_name(train.store, 1), "b");
    unload(&train);
    read_report(report_path, report, sizeof report);
    const char *const lines[] = {"unreadable: a/cut.jpg: truncated\n",
                                 "unreadable: a/page.jpg: neither JPEG nor PNG, but a web page\n",
                                 "unreadable: b/empty.jpg: empty\n",
                                 "foreign: b/anim.gif: neither JPEG nor PNG: a GIF",
                                 "unsafe name: ../../etc/evil.jpg: a path that leaves",
                                 "unsafe name: b/../../evil.jpg",
                                 "unsafe name: /abs/evil.jpg: an absolute path",
                                 "unsafe name: ../evil.jpg",
                                 "twice: a/1.jpg: ",
                                 "twice: b/2.jpg: ",
                                 "missing: b/gone.jpg: train\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(report, lines[i]) == NULL)
            fail_msg("the report lacks \"%s\":\n%s", lines[i], report);
    int count = 0;
    for (const char *c = report; *c != '\0'; c++)
        count += *c == '\n';
    assert_int_equal(count, 12); /* /abs/evil.jpg is both listed and there */

    /* Without lists what is unlisted counts, and what is no class's is said. */
    p.image_files.lists[0] = NULL;
    p.force = true;
    prepare("pictures", out, &p);
    train = load(out, "train");
    assert_int_equal(train.count, 3);
    unload(&train);
    read_report(report_path, report, sizeof report);
    assert_non_null(strstr(report, "foreign: b/anim.gif"));

    /* A report of an earlier run does not outlive it. */
    write_text(list, "a/1.jpg 0\nb/2.jpg 1\n");
    p.image_files.lists[0] = list;
    write_imagenet(path, scratch_path("other.tar"), "tar");
    write_text(list, "n0000/n0000_0.JPEG 0\n");
    prepare("pictures", out, &p);
    assert_int_not_equal(access(report_path, F_OK), 0);
}

static void bad_lists(void **state)
{
    (void)state;
    char path[600], list[600], other[600];
    snprintf(path, sizeof path, "%s", scratch_path("one.tar"));
    snprintf(list, sizeof list, "%s", scratch_path("bad.txt"));
    snprintf(other, sizeof other, "%s", scratch_path("bad2.txt"));
    char out[600];
    snprintf(out, sizeof out, "%s", scratch_path("bad.h5"));
    archive_file file = start_archive(path, "tar");
    open_archive(&file, path);
    add_image(&file, "a/1.jpg", 1);
    end_archive(&file);
    const struct {
        const char *list, *test, *text;
    } cases[] = {
        {"a/1.jpg\n", NULL, "line 1): an unlabeled list"},
        {"a/1.jpg 0\na/2.jpg x\n", NULL, "line 2"},
        {"a/1.jpg 1.5\n", NULL, "line 1"},
        {"a/1.jpg -1\n", NULL, "label -1 out of range"},
        {"a/1.jpg 99999999\n", NULL, "out of range"},
        {"a/1.jpg 99999999999999999999999\n", NULL, "line 1"},
        {"a/1.jpg 0\n./a/1.jpg 1\n", NULL, "two classes, 0 and 1"},
        {"a/1.jpg 0\n", "a/1.jpg 0\n", "two splits, train and test"},
        {"\n# nothing\n", NULL, "an empty list"},
        {"elsewhere/9.jpg 0\n", NULL, "no image found"},
        {"{\"images\": [", NULL, "broken JSON"},
        {"{\"images\": [], \"annotations\": []}", NULL, "no images"},
        {"{\"images\": [{\"id\": 1}]}", NULL, "without file_name"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a/1.jpg\"}], \"annotations\": [{\"image_id\": "
         "2, \"category_id\": 0}]}",
         NULL, "not listed"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a/1.jpg\"}], \"annotations\": [{\"image_id\": "
         "1, \"category_id\": -4}]}",
         NULL, "of no class"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a/1.jpg\"}, {\"id\": 1, \"file_name\": "
         "\"b\"}], \"annotations\": [{\"image_id\": 1, "
         "\"category_id\": 0}]}",
         NULL, "two images with the id 1"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a/1.jpg\"}, {\"id\": 2, \"file_name\": "
         "\"b\"}], \"annotations\": [{\"image_id\": 1, "
         "\"category_id\": 0}]}",
         NULL, "no annotation"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        preparation p = {{path}, {.lists = {list}}, false};
        write_text(list, cases[i].list);
        if (cases[i].test != NULL) {
            write_text(other, cases[i].test);
            p.image_files.lists[2] = other;
        }
        refused("pictures", out, &p, ELM_EXIT_FAILURE, cases[i].text);
        assert_false(exists("bad.h5") || exists("bad.h5.journal") || exists("bad.h5.part"));
    }
    refused("pictures", out, &(preparation){{path}, {.lists = {"/nowhere/list.txt"}}, false},
            ELM_EXIT_FAILURE, "/nowhere/list.txt");
    refused("pictures", out, &(preparation){{"/nowhere.tar"}, {.lists = {NULL}}, false},
            ELM_EXIT_FAILURE, "/nowhere.tar");
}

/* Cut anywhere: an error in words, and no store. The whole archive makes one afterwards. */
static void truncated_archives(void **state)
{
    (void)state;
    char archive[600], out[600], list[600], name[100];
    snprintf(archive, sizeof archive, "%s", scratch_path("cut.tar.gz"));
    snprintf(list, sizeof list, "%s", scratch_path("cut.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("cut.h5"));
    FILE *file = fopen(list, "w");
    for (int i = 0; i < IMAGES; i++) {
        inat_name(name, sizeof name, i);
        fprintf(file, "%s %d\n", name, image_class(i));
    }
    fclose(file);
    preparation p = {{archive}, {.lists = {list}, .shard_bytes = 10000}, true};
    for (int part = 1; part < 8; part++) {
        struct stat about;
        elm_error err;
        write_inat(archive);
        assert_int_equal(stat(archive, &about), 0);
        assert_int_equal(truncate(archive, about.st_size * part / 8), 0);
        assert_int_equal(run("inat2018", out, &p, &err), -1);
        assert_non_null(strstr(err.text, "cut.tar.gz"));
        assert_int_not_equal(access(out, F_OK), 0);
    }
    write_inat(archive);
    p.force = false;
    refused("inat2018", out, &p, ELM_EXIT_FAILURE,
            "an interrupted preparation from other archives");
    p.force = true;
    prepare("inat2018", out, &p);
    assert_false(exists("cut.h5.journal"));
}

static void caltech(void **state)
{
    (void)state;
    const char *shared = shared_data("caltech101-lt.tar");
    if (shared == NULL)
        return;
    char archive[1100], out[600];
    snprintf(archive, sizeof archive, "%s", shared);
    snprintf(out, sizeof out, "%s", scratch_path("caltech.h5"));
    prepare("pictures", out, &(preparation){{archive}, {.strict = true}, false});
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    elm_data_options options = {.crop = 224, .threads = 1};
    snprintf(options.store, sizeof options.store, "%.500s", out);
    /* the archive is not beside the store */
    assert_int_equal(elm_dataset_load_job(&dataset, &options, "train", &err), -1);
    assert_non_null(strstr(err.text, "data.outside=allow"));
    options.outside = ELM_OUTSIDE_ALLOW;
    assert_int_equal(elm_dataset_load_job(&dataset, &options, "train", &err), 0);
    assert_int_equal(dataset->count, 1887 + 505);
    assert_int_equal(dataset->info.classes, 101);
    elm_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imagenet_lt), cmocka_unit_test(inat),
        cmocka_unit_test(folders),     cmocka_unit_test(troubles),
        cmocka_unit_test(bad_lists),   cmocka_unit_test(truncated_archives),

        cmocka_unit_test(caltech),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
