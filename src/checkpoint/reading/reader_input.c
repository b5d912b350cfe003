/* /input of a checkpoint: what would make the network's input infinite or of no size is refused. */
#include <math.h>
#include <stdio.h>

#include "checkpoint/reading/reader.h"
#include "elmpi/memory.h"

/* One value a channel. */
static int read_channel_values(reader *r, const char *path, bool positive, float *values)
{
    void *list;
    int64_t count = 0;
    int status = reader_read_list(r, path, H5T_FLOAT, H5T_NATIVE_FLOAT, &count, &list);
    if (!status && count != r->made->input.channels)
        status = reader_refuse(r, path);
    for (int64_t c = 0; !status && c < count; c++) {
        values[c] = ((const float *)list)[c];
        if (!isfinite(values[c]) || (positive && !(values[c] > 0)))
            status = reader_refuse(r, path);
    }
    elm_free(list);
    return status;
}

static int read_attributes(reader *r, elm_checkpoint_input *input)
{
    const reader there = {.path = r->path,
                          .file = H5Gopen2(r->file, "input", H5P_DEFAULT),
                          .bytes_left = r->bytes_left,
                          .err = r->err};
    if (there.file < 0)
        return reader_refuse(r, "input");
    char *dataset = reader_read_text(&there, "dataset");
    int status = dataset ? 0 : -1;
    for (int i = 0; !status && i < ELM_INPUT_NUMBERS; i++) {
        int *value = (int *)((char *)input + elm_input_numbers[i].place);
        status = reader_read_number(&there, elm_input_numbers[i].name, H5T_NATIVE_INT, value);
        if (!status && (*value < 0 || *value > elm_input_numbers[i].most))
            status = reader_refuse(r, elm_input_numbers[i].name);
    }
    H5Gclose(there.file);
    if (!status)
        snprintf(input->dataset, sizeof input->dataset, "%s", dataset);
    elm_free(dataset);
    return status;
}

/* A resized image holds what is cut out of it. */
static bool is_sound(const elm_checkpoint_input *input)
{
    if (!input->channels)
        return input->features > 0;
    const bool fits =
        !input->resize || (input->resize >= input->height && input->resize >= input->width);
    return !input->features && input->height && input->width && fits;
}

int reader_read_input(reader *r)
{
    elm_checkpoint_input *input = &r->made->input;
    if (!reader_has(r, "input")) /* a checkpoint of before it was in them */
        return 0;
    if (read_attributes(r, input))
        return -1;
    if (!is_sound(input))
        return reader_refuse(r, "input");
    if (!input->channels)
        return 0;
    return read_channel_values(r, "input/mean", false, input->mean)
               ? -1
               : read_channel_values(r, "input/std", true, input->std);
}
