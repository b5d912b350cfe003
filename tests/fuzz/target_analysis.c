/* Analyzes, as the report reads them. Bytes that begin as an HDF5 file does are one, with its
 * checksums put right; any others are a script that forges a sound one. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hdf5/table_file.h"
#include "hdf5_forge.h"
#include "report/analysis_file.h"

enum { CLASSES = 3, ROWS = 4 };

static const char *const objects[] = {"classes",
                                      "classes/name",
                                      "classes/train_count",
                                      "train",
                                      "train/labels",
                                      "train/margin",
                                      "train/farthest",
                                      "train/class",
                                      "train/class/images",
                                      "train/class/pull",
                                      "train/class/bound",
                                      "train/shift/imbalance",
                                      "train/calibration",
                                      "train/calibration/count",
                                      "train/confusions",
                                      "test",
                                      "test/labels",
                                      "test/confusions",
                                      "spectrum/principal",
                                      "spectrum/fisher",
                                      "tsne",
                                      "tsne/place",
                                      "tsne/label",
                                      NULL};
static const char *const attributes[] = {"format",
                                         "test_split",
                                         "train@macro_f1",
                                         "train@largest_norm",
                                         "test@collapse_duality",
                                         "spectrum@collapse_variability",
                                         NULL};
static const hdf5_names names = {objects, attributes};

static void write_split(elm_table_file *file, const char *split)
{
    static const int32_t labels[ROWS] = {0, 1, 2, 1};
    static const int64_t counts[CLASSES] = {1, 2, 1}, confusions[2][3] = {{0, 1, 1}, {2, 0, 1}};
    static const double values[ROWS] = {0.5, -1, 2, 0.25};
    static const char *const vectors[] = {"margin",
                                          "farthest",
                                          "shift/imbalance",
                                          "shift/accuracy",
                                          "calibration/count",
                                          "calibration/confidence",
                                          "calibration/accuracy"};
    static const char *const numbers[] = {"macro_f1",
                                          "calibration_error",
                                          "largest_norm",
                                          "inter_intra_ratio",
                                          "collapse_equal_norms",
                                          "collapse_equal_angles",
                                          "collapse_widest_angles",
                                          "collapse_duality"};
    static const char *const by_class[] = {"class/pull", "class/bound"};
    char name[64];
    snprintf(name, sizeof name, "%s/labels", split);
    elm_table_file_array(file, name, ELM_TABLE_INT32, ROWS, 0, labels);
    snprintf(name, sizeof name, "%s/class/images", split);
    elm_table_file_array(file, name, ELM_TABLE_INT64, CLASSES, 0, counts);
    snprintf(name, sizeof name, "%s/confusions", split);
    elm_table_file_array(file, name, ELM_TABLE_INT64, 2, 3, confusions);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        snprintf(name, sizeof name, "%s/%s", split, vectors[i]);
        elm_table_file_array(file, name, ELM_TABLE_DOUBLE, ROWS, 0, values);
    }
    for (size_t i = 0; i < sizeof by_class / sizeof *by_class; i++) {
        snprintf(name, sizeof name, "%s/%s", split, by_class[i]);
        elm_table_file_array(file, name, ELM_TABLE_DOUBLE, CLASSES, 0, values);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        elm_table_file_number(file, split, numbers[i], 0.5);
}

static int write_analysis(const char *path)
{
    static const char *const class_names[CLASSES] = {"cat", "dog", "'Apapane"};
    static const int64_t counts[CLASSES] = {100, 20, 3};
    static const int32_t labels[ROWS] = {0, 1, 2, 0};
    static const float values[ROWS][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
    elm_table_file *file = NULL;
    elm_error err;
    if (elm_table_file_create(&file, path, "elmpi-analysis", &err) != 0)
        return elm_table_file_close(file, -1, &err);
    elm_table_file_text(file, "/", "test_split", "test");
    elm_table_file_texts(file, "classes/name", class_names, CLASSES);
    elm_table_file_array(file, "classes/train_count", ELM_TABLE_INT64, CLASSES, 0, counts);
    write_split(file, "train");
    write_split(file, "test");
    elm_table_file_array(file, "spectrum/principal", ELM_TABLE_FLOAT, ROWS, 0, values);
    elm_table_file_array(file, "spectrum/fisher", ELM_TABLE_FLOAT, ROWS, 0, values);
    elm_table_file_number(file, "spectrum", "collapse_variability", 1);
    elm_table_file_array(file, "tsne/place", ELM_TABLE_FLOAT, ROWS, 2, values);
    elm_table_file_array(file, "tsne/label", ELM_TABLE_INT32, ROWS, 0, labels);
    return elm_table_file_close(file, 0, &err);
}

/* Made once: its bytes. */
static const uint8_t *sample(size_t *size_bytes)
{
    static uint8_t *bytes;
    static size_t size;
    char folder[] = "/tmp/elmpi-fuzz.XXXXXX", path[64];
    struct stat about;
    if (bytes == NULL) {
        fuzz_demand(mkdtemp(folder) != NULL, "a folder");
        snprintf(path, sizeof path, "%s/a.h5", folder);
        elm_analysis_file sound = {0};
        fuzz_demand(write_analysis(path) == 0 && stat(path, &about) == 0, "an analysis to forge");
        fuzz_demand(elm_analysis_file_read_unguarded(&sound, path, NULL) == 0 && sound.points > 0,
                    "an analysis that is sound");
        elm_analysis_file_release(&sound);
        FILE *file = fopen(path, "rb");
        size = (size_t)about.st_size;
        bytes = malloc(size);
        fuzz_demand(file != NULL && bytes != NULL && fread(bytes, 1, size, file) == size,
                    "the analysis' bytes");
        fclose(file);
        unlink(path);
        rmdir(folder);
    }
    *size_bytes = size;
    return bytes;
}

static fuzz_file make_file(const uint8_t *bytes, size_t size_bytes)
{
    size_t sound_bytes;
    if (size_bytes >= 4 && memcmp(bytes, "\x89HDF", 4) == 0) {
        uint8_t *copy = malloc(size_bytes);
        fuzz_demand(copy != NULL, "memory");
        memcpy(copy, bytes, size_bytes);
        hdf5_mend(copy, size_bytes);
        const fuzz_file file = fuzz_file_make(copy, size_bytes);
        free(copy);
        return file;
    }
    const uint8_t *sound = sample(&sound_bytes);
    const fuzz_file file = fuzz_file_make(sound, sound_bytes);
    hdf5_forge(file.path, &names, (fuzz_bytes){bytes, size_bytes});
    return file;
}

static void check_split(const elm_split_file *s, int classes)
{
    volatile double sum = 0;
    for (int64_t i = 0; i < s->count; i++) {
        fuzz_demand(s->labels[i] >= 0 && s->labels[i] < classes, "a label of a class");
        sum = sum + s->margin[i] + s->farthest[i];
    }
    for (int c = 0; c < classes; c++)
        sum = sum + s->class_images[c] + s->pull[c] + s->bound[c];
    for (int i = 0; i < s->shifts; i++)
        sum = sum + s->shift_imbalance[i] + s->shift_accuracy[i];
    for (int i = 0; i < s->bins; i++)
        sum = sum + s->bin_count[i] + s->bin_confidence[i] + s->bin_accuracy[i];
    for (int i = 0; i < s->confusions; i++)
        fuzz_demand(s->confusion[3 * i] < classes && s->confusion[3 * i + 1] < classes,
                    "a confusion of classes");
}

static void check(const elm_analysis_file *a)
{
    volatile double sum = 0;
    for (int c = 0; c < a->classes; c++)
        fuzz_demand(strlen(a->names[c]) < ELM_REPORT_NAME, "a name that ends");
    check_split(&a->train, a->classes);
    check_split(&a->test, a->classes);
    for (int i = 0; i < a->width; i++)
        sum = sum + a->principal[i] + a->fisher[i];
    for (int p = 0; p < a->points; p++) {
        fuzz_demand(a->point_label[p] >= 0 && a->point_label[p] < a->classes, "a point of a class");
        sum = sum + a->place[2 * p] + a->place[2 * p + 1];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    fuzz_file file = make_file(bytes, size_bytes);
    const int64_t begun = fuzz_begin();
    elm_analysis_file analysis = {0};
    elm_error err = {0};
    const int status = elm_analysis_file_read_unguarded(&analysis, file.path, &err);
    fuzz_check_status(status, &err);
    if (status == 0)
        check(&analysis);
    elm_analysis_file_release(&analysis);
    fuzz_file_remove(&file);
    fuzz_demand(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "every handle closed");
    fuzz_end(begun);
    return 0;
}
