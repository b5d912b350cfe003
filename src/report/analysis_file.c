/* analysis.h5: sizes are checked before anything is read into memory. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "report/analysis_file.h"

enum { PATH_SIZE = 512, SIZE_MAX_TOTAL = 1 << 27 /* numbers in an array */ };

/* An open file and the first thing that went wrong. */
typedef struct reader {
    hid_t file;
    const char *path;
    int status;
    elm_error *err;
} reader;

static void refuse(reader *r, const char *what)
{
    if (r->status == 0)
        r->status =
            elm_error_set(r->err, ELM_EXIT_FAILURE,
                          "%s is missing or not what it should be (%s): make the file anew with elmpi-evaluate --analysis", what, r->path);
}

/* Numbers of an array in `wanted` rows of `columns`, or however many there are (wanted 0: *rows is set). */
static double *read_array(reader *r, const char *group, const char *name, int64_t wanted, int columns, int64_t *rows)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", group, name);
    const hid_t array = r->status == 0 ? H5Dopen2(r->file, path, H5P_DEFAULT) : -1, space = array >= 0 ? H5Dget_space(array) : -1;
    hsize_t shape[2] = {0, 1};
    const int dimensions = space >= 0 && H5Sget_simple_extent_ndims(space) <= 2 ? H5Sget_simple_extent_dims(space, shape, NULL) : -1;
    double *values = NULL;
    const bool fits = dimensions >= 1 && shape[1] == (hsize_t)columns && shape[0] <= SIZE_MAX_TOTAL / shape[1] &&
                      (wanted == 0 || shape[0] == (hsize_t)wanted);
    if (fits)
        values = elm_alloc((size_t)(shape[0] * shape[1]), sizeof *values, r->err);
    if (values == NULL || (shape[0] > 0 && H5Dread(array, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)) {
        elm_free(values);
        values = NULL;
        refuse(r, path);
    }
    if (rows != NULL)
        *rows = values != NULL ? (int64_t)shape[0] : 0;
    if (space >= 0)
        H5Sclose(space);
    if (array >= 0)
        H5Dclose(array);
    return values;
}

static double read_number(reader *r, const char *group, const char *name)
{
    double value = NAN;
    const hid_t attribute = r->status == 0 ? H5Aopen_by_name(r->file, group, name, H5P_DEFAULT, H5P_DEFAULT) : -1;
    const hid_t space = attribute >= 0 ? H5Aget_space(attribute) : -1;
    if (space < 0 || H5Sget_simple_extent_npoints(space) != 1 || H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) < 0)
        refuse(r, name);
    if (space >= 0)
        H5Sclose(space);
    if (attribute >= 0)
        H5Aclose(attribute);
    return value;
}

static void read_text(reader *r, const char *name, char *text, size_t size)
{
    const hid_t attribute = r->status == 0 ? H5Aopen(r->file, name, H5P_DEFAULT) : -1, type = attribute >= 0 ? H5Aget_type(attribute) : -1;
    memset(text, 0, size);
    if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) || H5Tget_size(type) >= size ||
        H5Aread(attribute, type, text) < 0)
        refuse(r, name);
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
}

/* Class names, of fixed length in the file. */
static char **read_names(reader *r, int classes)
{
    const hid_t array = r->status == 0 ? H5Dopen2(r->file, "/classes/name", H5P_DEFAULT) : -1, type = array >= 0 ? H5Dget_type(array) : -1;
    const hid_t space = array >= 0 ? H5Dget_space(array) : -1;
    const size_t size = type >= 0 && H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) ? H5Tget_size(type) : 0;
    char *block = NULL, **names = NULL;
    if (size > 0 && size < 4096 && H5Sget_simple_extent_npoints(space) == classes) {
        block = elm_alloc((size_t)classes, size, r->err);
        names = block != NULL ? elm_alloc((size_t)classes, sizeof *names + size + 1, r->err) : NULL;
    }
    if (names == NULL || H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) < 0) {
        elm_free(names);
        names = NULL;
        refuse(r, "/classes/name");
    }
    char *at = (char *)(names + (names != NULL ? classes : 0)); /* the texts follow the pointers in one block */
    for (int c = 0; names != NULL && c < classes; c++, at += size + 1) {
        memcpy(at, block + (size_t)c * size, size);
        names[c] = at;
    }
    elm_free(block);
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (array >= 0)
        H5Dclose(array);
    return names;
}

static void read_split(reader *r, const char *name, int classes, elm_split_file *s)
{
    char group[ELM_REPORT_NAME + 1];
    int64_t rows;
    snprintf(group, sizeof group, "/%s", name);
    s->labels = read_array(r, group, "labels", 0, 1, &s->count);
    const struct {
        const char *name;
        double **values;
        int64_t wanted;
    } arrays[] = {{"margin", &s->margin, s->count},       {"farthest", &s->farthest, s->count},
                  {"predicted", &s->predicted, s->count}, {"class/images", &s->class_images, classes},
                  {"class/pull", &s->pull, classes},      {"class/bound", &s->bound, classes}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i].values = read_array(r, group, arrays[i].name, arrays[i].wanted, 1, NULL);
    s->shift_imbalance = read_array(r, group, "shift/imbalance", 0, 1, &rows);
    s->shifts = (int)rows;
    s->shift_accuracy = read_array(r, group, "shift/accuracy", rows, 1, NULL);
    s->bin_count = read_array(r, group, "calibration/count", 0, 1, &rows);
    s->bins = (int)rows;
    s->bin_confidence = read_array(r, group, "calibration/confidence", rows, 1, NULL);
    s->bin_accuracy = read_array(r, group, "calibration/accuracy", rows, 1, NULL);
    s->confusion = read_array(r, group, "confusions", 0, 3, &rows);
    s->confusions = (int)rows;
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
        *numbers[i].value = read_number(r, group, numbers[i].name);
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
    a->train_count = read_array(r, "/classes", "train_count", 0, 1, &rows);
    a->classes = (int)rows;
    a->names = read_names(r, a->classes);
    read_split(r, "train", a->classes, &a->train);
    read_split(r, a->test_split, a->classes, &a->test);
    a->collapse = NAN;
    if (r->status == 0 && H5Lexists(r->file, "/spectrum", H5P_DEFAULT) > 0) {
        a->principal = read_array(r, "/spectrum", "principal", 0, 1, &rows);
        a->width = (int)rows;
        a->fisher = read_array(r, "/spectrum", "fisher", rows, 1, NULL);
        a->collapse = read_number(r, "/spectrum", "collapse_variability");
    }
    if (r->status == 0 && H5Lexists(r->file, "/tsne", H5P_DEFAULT) > 0) {
        a->place = read_array(r, "/tsne", "place", 0, 2, &rows);
        a->points = (int)rows;
        a->point_label = read_array(r, "/tsne", "label", rows, 1, NULL);
        for (int i = 0; r->status == 0 && i < a->points; i++)
            if (!(a->point_label[i] >= 0 && a->point_label[i] < a->classes))
                refuse(r, "/tsne/label");
    }
}

int elm_analysis_file_read(elm_analysis_file *a, const char *path, elm_error *err)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    reader r = {.path = path, .err = err, .file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)};
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
    void *all[] = {s->labels,          s->margin,         s->farthest,       s->predicted,    s->class_images, s->pull,     s->bound,
                   s->shift_imbalance, s->shift_accuracy, s->bin_confidence, s->bin_accuracy, s->bin_count,    s->confusion};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

void elm_analysis_file_release(elm_analysis_file *a)
{
    void *all[] = {a->train_count, (void *)a->names, a->principal, a->fisher, a->place, a->point_label};
    release_split(&a->train);
    release_split(&a->test);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    *a = (elm_analysis_file){0};
}
