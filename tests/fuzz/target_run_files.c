/* What the report reads of a run's folder as texts. The first byte says which of job.ini,
 * metrics.csv and evaluation.json the rest is; the others are sound. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "report/run_files.h"

enum { FILES = 3 };
static const char *const files[FILES] = {"job.ini", "metrics.csv", "evaluation.json"};
static const char *const sound[FILES] = {
    "[run]\nname = a\nseed = 1\n[loss]\nlogit = ce\n", "epoch,step,loss\n1,10,0.5\n2,20,\n",
    "{\"images\": 3, \"balanced_accuracy\": 0.5, \"accuracy\": 0.5, \"groups\": {\"head\": 1, "
    "\"torso\": 0, \"tail\": 0.5}}"};

static void put(const char *folder, int i, const void *bytes, size_t size_bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, files[i]);
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        abort();
    fwrite(bytes, 1, size_bytes, file);
    fclose(file);
}

static void check(const elm_run_files *run)
{
    volatile double sum = 0;
    const elm_epochs *e = &run->epochs;
    fuzz_demand(elm_run_setting(run, "run.name") != NULL && strlen(run->name) < sizeof run->name,
                "a run with a name");
    fuzz_demand(e->columns > 0 && e->columns <= ELM_REPORT_COLUMNS && e->rows >= 0,
                "columns that there is room for");
    for (int i = 0; i < e->rows * e->columns; i++)
        sum = sum + e->values[i];
    for (int c = 0; c < e->columns; c++)
        fuzz_demand(elm_epochs_column(e, e->name[c]) <= c, "a column that is found by its name");
    fuzz_demand(run->evaluation.images > 0 && !isnan(run->evaluation.balanced), "an evaluation");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    char folder[] = "/tmp/elmpi-fuzz.XXXXXX", path[128];
    if (size_bytes == 0 || mkdtemp(folder) == NULL)
        return 0;
    for (int i = 0; i < FILES; i++)
        if (i == bytes[0] % FILES)
            put(folder, i, bytes + 1, size_bytes - 1);
        else
            put(folder, i, sound[i], strlen(sound[i]));
    elm_run_files run;
    elm_error err = {0};
    const int status = elm_run_files_read(&run, folder, &err);
    fuzz_check_status(status, &err);
    if (status == 0)
        check(&run);
    elm_run_files_release(&run);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
    fuzz_end(begun);
    return 0;
}
