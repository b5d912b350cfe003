/* Lists, annotations and names of classes as people have them: marks of byte order, ids of other
 * types, other alphabets, long and too many names. */
#include "unit/prepare_fixture.h"

static const char mark[] = "\xef\xbb\xbf";

/* Four images of two folders. */
static void write_base(char path[600])
{
    snprintf(path, 600, "%s", scratch_path("base.tar"));
    archive_file file = start_archive(path, "tar");
    open_archive(&file, path);
    add_image(&file, "ant/1.jpg", 1);
    add_image(&file, "ant/2.jpg", 2);
    add_image(&file, "bee/3.jpg", 3);
    add_image(&file, "#dog/4.jpg", 4);
    end_archive(&file);
}

static void expect_names(const char *out, const char *const *names, int classes)
{
    elm_store *store = NULL;
    elm_error err = {0};
    assert_int_equal(elm_store_open(&store, out, &err), 0);
    assert_int_equal(elm_store_describe(store)->classes, classes);
    for (int c = 0; c < classes; c++)
        assert_string_equal(elm_store_class_name(store, c), names[c]);
    elm_store_close(store);
}

static int64_t count_train(const char *out)
{
    loaded train = load(out, "train");
    const int64_t count = train.count;
    unload(&train);
    return count;
}

static void marked(const char *path, const char *text)
{
    char whole[4000];
    snprintf(whole, sizeof whole, "%s%s", mark, text);
    write_text(path, whole);
}

static void marks_of_byte_order(void **state)
{
    (void)state;
    char base[600], list[600], names[600], out[600];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("list.txt"));
    snprintf(names, sizeof names, "%s", scratch_path("names.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("marks.h5"));
    preparation p = {{base}, {.lists = {list}, .class_names = names, .strict = true}, true};
    marked(list, "ant/1.jpg 0\r\nant/2.jpg 0\r\nbee/3.jpg 1\r\n");
    marked(names, "Ameise\r\nBiene\r\n\r\n");
    prepare("pictures", out, &p);
    assert_int_equal(count_train(out), 3);
    expect_names(out, (const char *const[]){"Ameise", "Biene"}, 2);
    p.image_files.class_names = NULL;
    marked(list, "{\"images\": [{\"id\": 1, \"file_name\": \"ant/1.jpg\"}, {\"id\": 2, "
                 "\"file_name\": \"bee/3.jpg\"}], \"annotations\": "
                 "[{\"image_id\": 1, \"category_id\": 0}, {\"image_id\": 2, \"category_id\": 1}]}");
    prepare("pictures", out, &p);
    assert_int_equal(count_train(out), 2);
    write_bytes(list,
                "\xff\xfe"
                "a\0n\0t\0",
                8);
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "UTF-16");
}

static void number_signs(void **state)
{
    (void)state;
    char base[600], list[600], out[600];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("signs.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("signs.h5"));
    write_text(list, "# a comment 7\n#\n## another 9\n#a comment without a number\nant//1.jpg "
                     "0\n./bee/./3.jpg 1\n#dog/4.jpg 2\n");
    prepare("pictures", out, &(preparation){{base}, {.lists = {list}, .strict = true}, false});
    expect_names(out, (const char *const[]){"ant", "bee", "#dog"}, 3);
    /* An entry that has been commented out makes no class. */
    write_text(list, "ant/1.jpg 0\nbee\\3.jpg 1\n#ant/9.jpg 5\n");
    prepare("pictures", out, &(preparation){{base}, {.lists = {list}}, true});
    expect_names(out, (const char *const[]){"ant", "bee"}, 2);
}

static const struct {
    const char *id, *file, *image, *category; /* as they stand in the JSON */
    const char *refused;
} types[] = {
    {"1", "\"ant/1.jpg\"", "1", "0", NULL},
    {"\"1\"", "\"ant/1.jpg\"", "1.0", "\"0\"", NULL},
    {"1e0", "\"ant/1.jpg\"", "\"1\"", "0.0", NULL},
    {"1", "\"ant/1.jpg\"", "1", "0.5", "category_id is not a whole number"},
    {"1", "\"ant/1.jpg\"", "\"one\"", "0", "image_id is a text that is no whole number"},
    {"1", "\"ant/1.jpg\"", "\"\"", "0", "image_id is a text that is no whole number"},
    {"1", "\"ant/1.jpg\"", "1", "null", "category_id is null"},
    {"1", "\"ant/1.jpg\"", "1", "[0]", "category_id is a list"},
    {"1", "\"ant/1.jpg\"", "1", "{}", "category_id is an object"},
    {"true", "\"ant/1.jpg\"", "1", "0", "id is true"},
    {"1", "7", "1", "0", "file_name is a number"},
    {"1", "[\"ant/1.jpg\"]", "1", "0", "file_name is a list"},
    {"99999999999999999999", "\"ant/1.jpg\"", "1", "0", "broken JSON"},
};

static void ids_of_other_types(void **state)
{
    (void)state;
    char base[600], list[600], out[600], text[1000];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("types.json"));
    snprintf(out, sizeof out, "%s", scratch_path("types.h5"));
    preparation p = {{base}, {.lists = {list}}, true};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(text, sizeof text,
                 "{\"images\": [{\"id\": %s, \"file_name\": %s}], \"annotations\": [{\"image_id\": "
                 "%s, \"category_id\": %s}], "
                 "\"categories\": [{\"id\": \"0\", \"name\": \"ant\"}]}",
                 types[i].id, types[i].file, types[i].image, types[i].category);
        write_text(list, text);
        if (types[i].refused != NULL) {
            refused("pictures", out, &p, ELM_EXIT_FAILURE, types[i].refused);
            continue;
        }
        prepare("pictures", out, &p);
        expect_names(out, (const char *const[]){"ant"}, 1);
    }
}

static void write_foreign(char path[600], const char *first, const char *second)
{
    char name[100];
    snprintf(path, 600, "%s", scratch_path("foreign.tar"));
    struct archive *writer = archive_write_new();
    assert_int_equal(archive_write_set_format_gnutar(writer), ARCHIVE_OK);
    archive_file file = {.writer = writer};
    open_archive(&file, path);
    snprintf(name, sizeof name, "%s/1.jpg", first);
    add_image(&file, name, 1);
    snprintf(name, sizeof name, "%s/2.jpg", second);
    add_image(&file, name, 2);
    end_archive(&file);
}

static void other_alphabets(void **state)
{
    (void)state;
    char path[600], out[600];
    snprintf(out, sizeof out, "%s", scratch_path("foreign.h5"));
    write_foreign(path,
                  "K\xe4"
                  "fer",
                  "ant");
    preparation p = {.archives = {path}, .force = true};
    refused("pictures", out, &p, ELM_EXIT_FAILURE,
            "K\\xE4fer): say what it is with --name-encoding");
    p.image_files.encoding = "latin1";
    prepare("pictures", out, &p);
    expect_names(out,
                 (const char *const[]){"K\xc3\xa4"
                                       "fer",
                                       "ant"},
                 2);
    p.image_files.encoding = "escape";
    prepare("pictures", out, &p);
    expect_names(out, (const char *const[]){"K\\xE4fer", "ant"}, 2);
    p.image_files.encoding = "klingon";
    refused("pictures", out, &p, ELM_EXIT_USAGE, "--name-encoding klingon");
    write_foreign(path, "\x8c\xa2", "ant"); /* dog in Shift-JIS */
    p.image_files.encoding = "shift_jis";
    prepare("pictures", out, &p);
    expect_names(out, (const char *const[]){"ant", "\xe7\x8a\xac"}, 2);
    /* One name in two spellings would become one class. */
    write_foreign(path,
                  "K\xe4"
                  "fer",
                  "K\xc3\xa4"
                  "fer");
    p.image_files.encoding = "latin1";
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "two classes with the same name");
    /* Composed and decomposed letters are two names, and stay as they are. */
    write_foreign(path,
                  "K\xc3\xa4"
                  "fer",
                  "Ka\xcc\x88"
                  "fer");
    p.image_files.encoding = NULL;
    prepare("pictures", out, &p);
    expect_names(out,
                 (const char *const[]){"Ka\xcc\x88"
                                       "fer",
                                       "K\xc3\xa4"
                                       "fer"},
                 2);
}

/* zip with the UTF-8 flag and 7-Zip, whose names are Unicode. */
static void names_of_containers(void **state)
{
    (void)state;
    static const char *const names[] = {"utf8.zip", "utf8.7z"};
    for (int i = 0; i < 2; i++) {
        char path[600], out[600];
        snprintf(path, sizeof path, "%s/tests/fuzz/corpus/archive/%s", ELM_SOURCE_DIR, names[i]);
        snprintf(out, sizeof out, "%s", scratch_path("container.h5"));
        prepare("pictures", out, &(preparation){{path}, {.strict = true}, true});
        expect_names(out,
                     (const char *const[]){"K\xc3\xa4"
                                           "fer",
                                           "ant", "bee"},
                     3);
        assert_int_equal(count_train(out), 6);
    }
}

/* Up to 4,094 bytes, and whole. */
static void long_names(void **state)
{
    (void)state;
    enum { LONG = 1500 };
    char base[600], list[600], names[600], out[600];
    static char text[3 * LONG], first[LONG + 8], second[LONG + 8];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("long.txt"));
    snprintf(names, sizeof names, "%s", scratch_path("longnames.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("long.h5"));
    for (int i = 0; i < LONG; i += 2)
        memcpy(first + i, "\xc3\xa4", 2);
    memcpy(second, first, sizeof first);
    second[LONG] = 'z';
    snprintf(text, sizeof text, "%s\n%s\n", first, second);
    write_text(names, text);
    write_text(list, "ant/1.jpg 0\nbee/3.jpg 1\n");
    preparation p = {{base}, {.lists = {list}, .class_names = names}, false};
    prepare("pictures", out, &p);
    expect_names(out, (const char *const[]){first, second}, 2);
}

static void too_many_and_too_few(void **state)
{
    (void)state;
    char base[600], list[600], names[600], out[600];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("few.txt"));
    snprintf(names, sizeof names, "%s", scratch_path("fewnames.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("few.h5"));
    write_text(list, "ant/1.jpg 0\nbee/3.jpg 3\n");
    preparation p = {{base}, {.lists = {list}, .class_names = names}, true};
    write_text(names, "ant\n\nbee\n");
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "a class without a name");
    write_text(names, "\n\n");
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "no names in it");
    write_text(names, "a\nb\nc\nd\ne\n");
    prepare("pictures", out, &p);
    expect_names(out, (const char *const[]){"a", "b", "c", "d", "e"}, 5);
    p.image_files.strict = true;
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "5 names for 4 classes");
    p.image_files.strict = false;
    p.image_files.drop_empty = true;
    prepare("pictures", out, &p);
    expect_names(out, (const char *const[]){"a", "d"}, 2);
    loaded train = load(out, "train");
    assert_int_equal(train.count, 2);
    expect_row(&train, "train", 0, 1, "ant/1.jpg", 0);
    expect_row(&train, "train", 1, 3, "bee/3.jpg", 1);
    unload(&train);
}

/* Lists that are refused, with the line that tells why; labels as spreadsheets write them. */
static void labels_and_line_ends(void **state)
{
    (void)state;
    static const struct {
        const char *list, *refused;
    } cases[] = {
        {"ant/1.jpg 0\rbee/3.jpg 1\r", "carriage returns within a line"},
        {"/abs/1.jpg 0\n../2.jpg 1\n", "unsafe name: /abs/1.jpg: an absolute path"},
        {"ant/1.jpg 0.5\nbee/3.jpg 1\n", "not \"path label\""},
        {"ant/1.jpg 0.0.\nbee/3.jpg 1\n", "not \"path label\""},
        {"ant/1.jpg .0\nbee/3.jpg 1\n", "not \"path label\""},
        {"\n\n", "an empty list"},
        {"\"ant/1.jpg\" 0\n", "no image found"},
    };
    char base[600], list[600], names[600], out[600];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("labels.txt"));
    snprintf(names, sizeof names, "%s", scratch_path("labelnames.txt"));
    snprintf(out, sizeof out, "%s", scratch_path("labels.h5"));
    preparation p = {{base}, {.lists = {list}}, true};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(list, cases[i].list);
        refused("pictures", out, &p, ELM_EXIT_FAILURE, cases[i].refused);
    }
    write_text(list, "ant/1.jpg 0.0\nbee/3.jpg\t1.\nant/2.jpg 0.00\r\r\n");
    prepare("pictures", out, &p);
    assert_int_equal(count_train(out), 3);
    expect_names(out, (const char *const[]){"ant", "bee"}, 2);
    p.image_files.class_names = names;
    write_text(names, "x\ry\r");
    refused("pictures", out, &p, ELM_EXIT_FAILURE, "carriage returns within a line");
}

/* Categories with a blank name are named by their folder. */
static void blank_categories(void **state)
{
    (void)state;
    char base[600], list[600], out[600];
    write_base(base);
    snprintf(list, sizeof list, "%s", scratch_path("blank.json"));
    snprintf(out, sizeof out, "%s", scratch_path("blank.h5"));
    write_text(list,
               "{\"images\": [{\"id\": 1, \"file_name\": \"ant/1.jpg\"}, {\"id\": 2, "
               "\"file_name\": \"bee/3.jpg\"}], \"annotations\": "
               "[{\"image_id\": 1, \"category_id\": 0}, {\"image_id\": 2, \"category_id\": 1}], "
               "\"categories\": [{\"id\": 0, \"name\": \"\"}, {\"id\": 1, \"name\": \" \\t\"}]}");
    prepare("pictures", out, &(preparation){{base}, {.lists = {list}}, true});
    expect_names(out, (const char *const[]){"ant", "bee"}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_of_byte_order),  cmocka_unit_test(number_signs),
        cmocka_unit_test(ids_of_other_types),   cmocka_unit_test(other_alphabets),
        cmocka_unit_test(names_of_containers),  cmocka_unit_test(long_names),
        cmocka_unit_test(too_many_and_too_few), cmocka_unit_test(labels_and_line_ends),
        cmocka_unit_test(blank_categories),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
