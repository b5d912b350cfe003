/* A file from outside: elm_h5_open compares sizes with the file's own before anything is read
 * into memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file/guard.h"
#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "hdf5/read.h"
#include "report/analysis_file.h"

enum { PATH_SIZE = 512 };

/* An open file and the first thing that went wrong. */
typedef struct reader {
    hid_t file;
    uint64_t bytes;
    const char *path;
    int status;
    elm_error *err;
} reader;

static void refuse(reader *r, const char *what)
{
    if (r->status == 0)
        r->status = elm_error_set(r->err, ELM_EXIT_FAILURE,
                                  "%s is missing or not what it should be (%s): make the file anew "
                                  "with elmpi-evaluate --analysis",
                                  what, r->path);
}

/* Numbers of an array in `wanted` rows of `columns`, or however many there are (wanted 0: *rows
 * is set). */
static double *read_array(reader *r, const char *group, const char *name, int64_t wanted,
                          int columns, int64_t *rows)
{
    char path[PATH_SIZE];
    elm_h5_array array = {.id = -1};
    double *values = NULL;
    snprintf(path, sizeof path, "%s/%s", group, name);
    if (r->status == 0 && elm_h5_open(&array, r->file, path, r->bytes) == 0) {
        const bool is_number = array.kind == H5T_INTEGER || array.kind == H5T_FLOAT;
        const hsize_t second = array.dimensions == 2 ? array.shape[1] : 1;
        if (is_number && array.dimensions <= 2 && second == (hsize_t)columns &&
            (wanted == 0 || array.shape[0] == (hsize_t)wanted))
            values = elm_alloc((size_t)(array.shape[0] * second), sizeof *values, r->err);
        if (values != NULL &&
            elm_h5_rows(&array, H5T_NATIVE_DOUBLE, 0, array.shape[0], values) != 0) {
            elm_free(values);
            values = NULL;
        }
    }
    if (values == NULL)
        refuse(r, path);
    if (rows != NULL)
        *rows = values != NULL ? (int64_t)array.shape[0] : 0;
    elm_h5_close(&array);
    return values;
}

static double read_number(reader *r, const char *group_name, const char *name)
{
    double value = NAN;
    const hid_t group = r->status == 0 && elm_h5_exists(r->file, group_name)
                            ? H5Gopen2(r->file, group_name, H5P_DEFAULT)
                            : -1;
    if (group < 0 || elm_h5_numbers(group, name, H5T_NATIVE_DOUBLE, 1, &value) != 0)
        refuse(r, name);
    if (group >= 0)
        H5Gclose(group);
    return value;
}

static void read_text(reader *r, const char *name, char *text, size_t size)
{
    if (r->status == 0 && elm_h5_text(r->file, name, text, size) != 0)
        refuse(r, name);
}

/* What is no UTF-8 is escaped; a letter that was cut ends the name. */
static void tidy(char name[ELM_REPORT_NAME])
{
    char whole[ELM_REPORT_NAME];
    size_t length = strlen(name);
    for (int cut = 0;
         cut < 3 && length + 1 == ELM_REPORT_NAME - (size_t)cut && !elm_utf8_is_valid(name); cut++)
        name[--length] = '\0';
    memcpy(whole, name, sizeof whole);
    elm_utf8_escape(name, ELM_REPORT_NAME, whole);
}

/* Class names, cut to a length: [classes][ELM_REPORT_NAME]. */
static char (*read_names(reader *r, int classes))[ELM_REPORT_NAME]
{
    elm_h5_array array = {.id = -1};
    char(*names)[ELM_REPORT_NAME] = NULL;
    if (r->status == 0 && elm_h5_open(&array, r->file, "classes/name", r->bytes) == 0 &&
        array.kind == H5T_STRING && array.dimensions == 1 && array.shape[0] == (hsize_t)classes)
        names = elm_alloc((size_t)classes, sizeof *names, r->err);
    if (names == NULL || elm_h5_texts(&array, names[0], sizeof *names) != 0)
        refuse(r, "classes/name");
    for (int c = 0; names != NULL && r->status == 0 && c < classes; c++)
        tidy(names[c]);
    elm_h5_close(&array);
    return names;
}

static void read_split(reader *r, const char *name, int classes, elm_split_file *s)
{
    int64_t rows;
    s->labels = read_array(r, name, "labels", 0, 1, &s->count);
    const struct {
        const char *name;
        double **values;
        int64_t wanted;
    } arrays[] = {{"margin", &s->margin, s->count},
                  {"farthest", &s->farthest, s->count},
                  {"class/images", &s->class_images, classes},
                  {"class/pull", &s->pull, classes},
                  {"class/bound", &s->bound, classes}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i].values = read_array(r, name, arrays[i].name, arrays[i].wanted, 1, NULL);
    s->shift_imbalance = read_array(r, name, "shift/imbalance", 0, 1, &rows);
    s->shifts = (int)rows;
    s->shift_accuracy = read_array(r, name, "shift/accuracy", rows, 1, NULL);
    s->bin_count = read_array(r, name, "calibration/count", 0, 1, &rows);
    s->bins = (int)rows;
    s->bin_confidence = read_array(r, name, "calibration/confidence", rows, 1, NULL);
    s->bin_accuracy = read_array(r, name, "calibration/accuracy", rows, 1, NULL);
    char confusions[PATH_SIZE];
    snprintf(confusions, sizeof confusions, "%s/confusions", name);
    /* a network that is never wrong has none */
    if (r->status == 0 && elm_h5_exists(r->file, confusions)) {
        s->confusion = read_array(r, name, "confusions", 0, 3, &rows);
        s->confusions = (int)rows;
    }
    const struct {
        const char *name;
        double *value;
    } numbers[] = {
        {"macro_f1", &s->macro_f1},
        {"calibration_error", &s->calibration_error},
        {"largest_norm", &s->largest_norm},
        {"inter_intra_ratio", &s->inter_intra},
        {"collapse_equal_norms", &s->equal_norms},
        {"collapse_equal_angles", &s->equal_angles},
        {"collapse_widest_angles", &s->widest_angles},
        {"collapse_duality", &s->duality},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].value = read_number(r, name, numbers[i].name);
    for (int64_t i = 0; r->status == 0 && i < s->count; i++)
        if (!(s->labels[i] >= 0 && s->labels[i] < classes))
            refuse(r, "a label");
    for (int i = 0; r->status == 0 && i < 3 * s->confusions; i++)
        if (i % 3 < 2 && !(s->confusion[i] >= 0 && s->confusion[i] < classes))
            refuse(r, "a confusion");
}

static void read_parts(reader *r, elm_analysis_file *a)
{
    char format[ELM_REPORT_NAME];
    int64_t rows;
    read_text(r, "format", format, sizeof format);
    if (r->status == 0 && strcmp(format, "elmpi-analysis") != 0)
        refuse(r, "format");
    read_text(r, "test_split", a->test_split, sizeof a->test_split);
    a->train_count = read_array(r, "classes", "train_count", 0, 1, &rows);
    a->classes = (int)rows;
    a->names = read_names(r, a->classes);
    read_split(r, "train", a->classes, &a->train);
    read_split(r, a->test_split, a->classes, &a->test);
    a->collapse = NAN;
    if (r->status == 0 && elm_h5_exists(r->file, "spectrum")) {
        a->principal = read_array(r, "spectrum", "principal", 0, 1, &rows);
        a->width = (int)rows;
        a->fisher = read_array(r, "spectrum", "fisher", rows, 1, NULL);
        a->collapse = read_number(r, "spectrum", "collapse_variability");
    }
    if (r->status == 0 && elm_h5_exists(r->file, "tsne")) {
        a->place = read_array(r, "tsne", "place", 0, 2, &rows);
        a->points = (int)rows;
        a->point_label = read_array(r, "tsne", "label", rows, 1, NULL);
        for (int i = 0; r->status == 0 && i < a->points; i++)
            if (!(a->point_label[i] >= 0 && a->point_label[i] < a->classes))
                refuse(r, "tsne/label");
    }
}

int elm_analysis_file_read_unguarded(elm_analysis_file *a, const char *path, elm_error *err)
{
    hsize_t bytes = 0;
    elm_h5_quiet();
    reader r = {.path = path, .err = err, .file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)};
    if (r.file >= 0 && H5Fget_filesize(r.file, &bytes) >= 0)
        r.bytes = bytes;
    if (r.file < 0)
        refuse(&r, "the analysis");
    else
        read_parts(&r, a);
    if (r.file >= 0)
        H5Fclose(r.file);
    return r.status;
}

static void release_split(elm_split_file *s)
{
    void *all[] = {s->labels,         s->margin,       s->farthest,        s->class_images,
                   s->pull,           s->bound,        s->shift_imbalance, s->shift_accuracy,
                   s->bin_confidence, s->bin_accuracy, s->bin_count,       s->confusion};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

/* What the second process does. */
static int read_and_release(const char *path, elm_error *err)
{
    elm_analysis_file analysis = {0};
    const int status = elm_analysis_file_read_unguarded(&analysis, path, err);
    elm_analysis_file_release(&analysis);
    return status;
}

ELM_GUARD_SERVE(analysis, "analysis", read_and_release)

int elm_analysis_file_read(elm_analysis_file *a, const char *path, elm_error *err)
{
    return elm_guard_check("analysis", path, err) != 0
               ? -1
               : elm_analysis_file_read_unguarded(a, path, err);
}

void elm_analysis_file_release(elm_analysis_file *a)
{
    void *all[] = {a->train_count, a->names, a->principal, a->fisher, a->place, a->point_label};
    release_split(&a->train);
    release_split(&a->test);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    *a = (elm_analysis_file){0};
}
