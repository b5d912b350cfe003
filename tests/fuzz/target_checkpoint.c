/* Checkpoints. Bytes that begin as one does are one, whose user block (length, SHA-256) and HDF5
 * checksums are put right, so that what lies behind them is reached; any others are a script
 * that forges a sound one. In the first, a byte behind the digest keeps the block as it is. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/digest.h"
#include "checkpoint/format.h"
#include "elmpi/checkpoint.h"
#include "elmpi/memory.h"
#include "hdf5_forge.h"

enum { LEAVE_BLOCK = ELM_USER_BLOCK - 1 /* a non-zero byte here is refused by itself */ };

static const char *const objects[] = {
    "job",      "classes",    "classes/name", "classes/train_count", "model",
    "model/w",  "model/a/b",  "optimizer",    "optimizer/momentum",  "optimizer/momentum/w",
    "loss",     "loss/scale", "history",      "history/loss",        "history/x",
    "progress", NULL};
static const char *const attributes[] = {
    "format", "version",   "epoch",           "step",       "seed",      "ranks",
    "git",    "made_with", "progress@images", "progress@x", "chosen_on", NULL};
static const hdf5_names names = {objects, attributes};

typedef struct content {
    uint8_t *bytes;
    size_t size_bytes;
} content;

static content read_whole(const char *path)
{
    struct stat about = {0};
    FILE *file = fopen(path, "rb");
    fuzz_demand(file != NULL && stat(path, &about) == 0, "a file to read");
    content read = {.size_bytes = (size_t)about.st_size};
    read.bytes = malloc(read.size_bytes + 1);
    fuzz_demand(read.bytes != NULL &&
                    fread(read.bytes, 1, read.size_bytes, file) == read.size_bytes,
                "its bytes");
    fclose(file);
    return read;
}

static content make_sample(void)
{
    static float weights[6] = {1, 2, 3, 4, 5, 6};
    static const double losses[3] = {3, 2, 1};
    static const char *const class_names[2] = {"cat", "dog"};
    static const int64_t class_count[2] = {4, 1};
    elm_tensor tensors[] = {
        {.name = "model/w", .dimensions = 2, .shape = {2, 3}, .count = 6, .data = weights},
        {.name = "optimizer/momentum/w",
         .dimensions = 1,
         .shape = {6},
         .count = 6,
         .data = weights},
        {.name = "loss/scale", .count = 1, .data = weights}};
    elm_history_column column = {"loss", 3, losses};
    elm_progress_value value = {"images", 7};
    const elm_checkpoint sound = {.job = "[run]\nname = a\n",
                                  .epoch = 1.5,
                                  .step = 3,
                                  .seed = 1,
                                  .ranks = 2,
                                  .git = "g",
                                  .made_with = "m",
                                  .chosen_on = "holdout",
                                  .tensor_count = 3,
                                  .tensors = tensors,
                                  .classes = 2,
                                  .class_names = class_names,
                                  .class_count = class_count,
                                  .history_count = 1,
                                  .history = &column,
                                  .progress_count = 1,
                                  .progress = &value};
    char folder[] = "/tmp/elmpi-fuzz.XXXXXX", path[64];
    fuzz_demand(mkdtemp(folder) != NULL, "a folder");
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    fuzz_demand(elm_checkpoint_write(path, &sound, NULL) == 0, "a checkpoint to forge");
    const content made = read_whole(path);
    unlink(path);
    rmdir(folder);
    return made;
}

static void mend_block(content file)
{
    if (file.size_bytes < ELM_USER_BLOCK || file.bytes[LEAVE_BLOCK] != 0)
        return;
    elm_digest_block(file.bytes + ELM_USER_BLOCK, file.size_bytes - ELM_USER_BLOCK,
                     (char *)file.bytes, NULL);
}

/* The forged sample's bytes. */
static content forge(fuzz_bytes script)
{
    static content sound; /* made once */
    if (sound.bytes == NULL)
        sound = make_sample();
    fuzz_file file = fuzz_file_make(sound.bytes, sound.size_bytes);
    hdf5_forge(file.path, &names, script);
    const content forged = read_whole(file.path);
    fuzz_file_remove(&file);
    return forged;
}

static fuzz_file make_file(const uint8_t *bytes, size_t size_bytes)
{
    content made = {malloc(size_bytes + 1), size_bytes};
    fuzz_demand(made.bytes != NULL, "memory");
    memcpy(made.bytes, bytes, size_bytes);
    if (size_bytes < 5 || memcmp(bytes, "ELMPI", 5) != 0) {
        free(made.bytes);
        made = forge((fuzz_bytes){bytes, size_bytes});
    } else if (size_bytes > ELM_USER_BLOCK) {
        hdf5_mend(made.bytes + ELM_USER_BLOCK, size_bytes - ELM_USER_BLOCK);
    }
    mend_block(made);
    const fuzz_file file = fuzz_file_make(made.bytes, made.size_bytes);
    free(made.bytes);
    return file;
}

static void check_tensors(const elm_checkpoint *read)
{
    volatile float sum = 0;
    for (int t = 0; t < read->tensor_count; t++) {
        const elm_tensor *tensor = &read->tensors[t];
        int64_t product = 1;
        fuzz_demand(tensor->dimensions >= 0 && tensor->dimensions <= ELM_RANK_MAX,
                    "dimensions within their bounds");
        for (int i = 0; i < tensor->dimensions; i++)
            product *= tensor->shape[i];
        fuzz_demand(product == tensor->count, "a shape that fits the count");
        fuzz_demand(elm_checkpoint_tensor(read, tensor->name) != NULL,
                    "a tensor that is found by its name");
        for (int64_t i = 0; i < tensor->count; i++)
            sum = sum + tensor->data[i];
    }
}

static void check_rest(const elm_checkpoint *read)
{
    volatile double sum = 0;
    for (int i = 0; i < read->history_count; i++)
        for (int64_t k = 0; k < read->history[i].count; k++)
            sum = sum + read->history[i].values[k];
    for (int c = 0; read->class_names != NULL && c < read->classes; c++)
        sum = sum + (double)strlen(read->class_names[c]);
    for (int c = 0; read->class_count != NULL && c < read->classes; c++) {
        fuzz_demand(read->class_count[c] >= 0, "no class of fewer than no images");
        sum = sum + (double)read->class_count[c];
    }
    fuzz_demand(isfinite(read->epoch) && read->step >= 0 && read->ranks > 0,
                "facts that are possible");
    sum = sum + (double)(strlen(read->job) + strlen(read->git) + strlen(read->made_with));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    fuzz_file file = make_file(bytes, size_bytes);
    const int64_t begun = fuzz_begin();
    elm_checkpoint *read = NULL;
    elm_error err = {0};
    const int status = elm_checkpoint_read_unguarded(file.path, &read, &err);
    fuzz_check_status(status, &err);
    fuzz_demand((status == 0) == (read != NULL), "a checkpoint or an error");
    if (read != NULL) {
        check_tensors(read);
        check_rest(read);
    }
    elm_checkpoint_free(read);
    fuzz_file_remove(&file);
    fuzz_demand(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "every handle closed");
    fuzz_end(begun);
    return 0;
}
