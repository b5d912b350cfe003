/* Checkpoints: what is written comes back, what is damaged is refused, what cannot be written
 * leaves the old file as it was. */
#define _GNU_SOURCE /* unshare */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"
#include "checkpoint/digest.h"
#include "elmpi/checkpoint.h"
#include "elmpi/memory.h"
#include "unit/hdf5_leaks.h"
#include "unit/scratch.h"

enum { TENSORS = 5, COLUMNS = 3, VALUES = 3, CLASSES = 3, EPOCHS = 4 };

/* A checkpoint with every kind of content, one tensor of more than one chunk, empty and scalar
 * ones. */
typedef struct sample {
    elm_checkpoint checkpoint;
    elm_tensor tensors[TENSORS];
    elm_history_column history[COLUMNS];
    elm_progress_value progress[VALUES];
} sample;

static const char *const class_names[CLASSES] = {"apple", "a longer name, \xC3\xA4", ""};
static const int64_t class_count[CLASSES] = {500, 50, 5};
static const double losses[EPOCHS] = {2.5, 1.25, NAN, 1e-300};

static void fill_tensor(elm_tensor *t, const char *name, int dimensions, const int64_t *shape)
{
    *t = (elm_tensor){.dimensions = dimensions, .count = 1};
    snprintf(t->name, sizeof t->name, "%s", name);
    for (int i = 0; i < dimensions; i++)
        t->count *= t->shape[i] = shape[i];
    t->data = elm_alloc((size_t)t->count, sizeof(float), NULL);
    elm_rng rng = elm_rng_stream(1, ELM_RNG_DATA, elm_hash_text_32(name), 0);
    for (int64_t i = 0; i < t->count; i++)
        t->data[i] = (float)elm_rng_normal(&rng);
}

static sample *make_sample(void)
{
    sample *s = calloc(1, sizeof *s);
    fill_tensor(&s->tensors[0], "model/conv1.weight", 4, (int64_t[]){16, 3, 3, 3});
    fill_tensor(&s->tensors[1], "model/fc.weight", 2, (int64_t[]){1000, 700});
    fill_tensor(&s->tensors[2], "optimizer/momentum/layer1.0.bn1.bias", 1, (int64_t[]){16});
    fill_tensor(&s->tensors[3], "loss/scale", 0, NULL);
    fill_tensor(&s->tensors[4], "loss/none", 2, (int64_t[]){0, 4});
    s->tensors[0].data[0] = -0.0f;
    s->tensors[0].data[1] = 1e-42f; /* subnormal */
    s->history[0] = (elm_history_column){"loss", EPOCHS, losses};
    s->history[1] = (elm_history_column){"epoch", 1, losses};
    s->history[2] = (elm_history_column){"empty", 0, losses};
    s->progress[0] = (elm_progress_value){"images", 12345678901.0};
    s->progress[1] = (elm_progress_value){"loss", 0.1};
    s->progress[2] = (elm_progress_value){"nan", NAN};
    s->checkpoint = (elm_checkpoint){
        .job = "[run]\nname = \xC3\xA4\n",
        .epoch = 3.25,
        .step = 1ll << 40,
        .seed = UINT64_MAX,
        .ranks = 4,
        .git = "v1-3-gabc",
        .made_with = "2 threads a rank",
        .chosen_on = "holdout",
        .tensor_count = TENSORS,
        .tensors = s->tensors,
        .classes = CLASSES,
        .class_names = class_names,
        .class_count = class_count,
        .input = {.dataset = "tiny",
                  .channels = 3,
                  .height = 64,
                  .width = 48,
                  .resize = 73,
                  .mean = {0.5f, -0.25f, 0},
                  .std = {1, 0.1f, 2}},
        .history_count = COLUMNS,
        .history = s->history,
        .progress_count = VALUES,
        .progress = s->progress,
    };
    return s;
}

static void free_sample(sample *s)
{
    for (int i = 0; i < TENSORS; i++)
        elm_free(s->tensors[i].data);
    free(s);
}

static void write_sample(const char *path, int64_t step)
{
    sample *s = make_sample();
    elm_error err = {0};
    s->checkpoint.step = step;
    if (elm_checkpoint_write(path, &s->checkpoint, &err))
        fail_msg("%s", err.text);
    free_sample(s);
}

/* The bytes of a file.
 *  Owns:   to be freed. */
static unsigned char *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void save(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* Entries of a folder, the two dots apart. */
static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    assert_non_null(folder);
    int count = -2;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void compare_tensors(const elm_checkpoint *read, const sample *written)
{
    assert_int_equal(read->tensor_count, TENSORS);
    for (int i = 0; i < TENSORS; i++) {
        const elm_tensor *w = &written->tensors[i], *r = elm_checkpoint_tensor(read, w->name);
        assert_non_null(r);
        assert_int_equal(r->dimensions, w->dimensions);
        assert_int_equal(r->count, w->count);
        assert_memory_equal(r->shape, w->shape, sizeof(int64_t) * (size_t)w->dimensions);
        assert_memory_equal(r->data, w->data, sizeof(float) * (size_t)w->count);
    }
    assert_null(elm_checkpoint_tensor(read, "model/none"));
}

static void round_trip(void **state)
{
    (void)state;
    sample *s = make_sample();
    elm_error err = {0};
    elm_checkpoint *c = NULL;
    const char *path = scratch_path("round.h5");
    assert_int_equal(elm_checkpoint_write(path, &s->checkpoint, &err), 0);
    assert_int_equal(elm_checkpoint_verify(path, &err), 0);
    if (elm_checkpoint_read(path, &c, &err))
        fail_msg("%s", err.text);
    assert_string_equal(c->job, s->checkpoint.job);
    assert_string_equal(c->git, s->checkpoint.git);
    assert_string_equal(c->made_with, s->checkpoint.made_with);
    assert_string_equal(c->chosen_on, s->checkpoint.chosen_on);
    assert_true(c->epoch == 3.25 && c->step == 1ll << 40 && c->seed == UINT64_MAX && c->ranks == 4);
    assert_int_equal(c->classes, CLASSES);
    for (int i = 0; i < CLASSES; i++) {
        assert_string_equal(c->class_names[i], class_names[i]);
        assert_int_equal(c->class_count[i], class_count[i]);
    }
    assert_true(elm_checkpoint_knows_input(c));
    assert_memory_equal(&c->input, &s->checkpoint.input, sizeof c->input);
    compare_tensors(c, s);
    assert_int_equal(c->history_count, COLUMNS);
    const elm_history_column *column = elm_checkpoint_history(c, "loss");
    assert_non_null(column);
    assert_int_equal(column->count, EPOCHS);
    assert_memory_equal(column->values, losses, sizeof losses);
    assert_int_equal(elm_checkpoint_history(c, "empty")->count, 0);
    assert_null(elm_checkpoint_history(c, "none"));
    assert_true(elm_checkpoint_progress(c, "images", -1) == 12345678901.0);
    assert_true(elm_checkpoint_progress(c, "loss", -1) == 0.1);
    assert_true(isnan(elm_checkpoint_progress(c, "nan", -1)));
    assert_true(elm_checkpoint_progress(c, "none", -1) == -1);
    elm_checkpoint_free(c);
    elm_checkpoint_free(NULL);
    free_sample(s);
}

static void least_checkpoint(void **state)
{
    (void)state;
    const elm_checkpoint nothing = {.job = "", .git = NULL, .ranks = 1};
    elm_checkpoint *c = NULL;
    elm_error err = {0};
    assert_int_equal(elm_checkpoint_write(scratch_path("least.h5"), &nothing, &err), 0);
    if (elm_checkpoint_read(scratch_path("least.h5"), &c, &err))
        fail_msg("%s", err.text);
    assert_string_equal(c->job, "");
    assert_string_equal(c->git, "");
    assert_string_equal(c->made_with, "");
    assert_null(c->chosen_on);
    assert_int_equal(c->tensor_count + c->history_count + c->progress_count + c->classes, 0);
    assert_false(elm_checkpoint_knows_input(c)); /* as in checkpoints of before it was in them */
    elm_checkpoint_free(c);
}

/* What would make the network's input infinite or of no size is refused, whatever the digest
 * says. */
static void impossible_inputs(void **state)
{
    (void)state;
    const elm_checkpoint_input inputs[] = {
        {.channels = 3, .height = 8, .std = {1, 1, 1}},
        {.channels = 3, .height = 8, .width = 8, .std = {1, 0, 1}},
        {.channels = 3, .height = 8, .width = 8, .mean = {NAN}, .std = {1, 1, 1}},
        {.channels = 1, .height = 8, .width = 8, .features = 2, .std = {1}},
        {.channels = 1, .height = 8, .width = -8, .std = {1}},
        {.channels = 1, .height = 8, .width = 1 << 20, .std = {1}},
        {.channels = 1, .height = 8, .width = 8, .resize = 7, .std = {1}},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const elm_checkpoint made = {.job = "", .ranks = 1, .input = inputs[i]};
        elm_checkpoint *c = NULL;
        elm_error err = {0};
        assert_int_equal(elm_checkpoint_write(scratch_path("input.h5"), &made, &err), 0);
        assert_int_equal(elm_checkpoint_read(scratch_path("input.h5"), &c, &err), -1);
        assert_null(c);
        assert_non_null(strstr(err.text, "input.h5"));
    }
}

static void vector_input(void **state)
{
    (void)state;
    const elm_checkpoint made = {
        .job = "", .ranks = 1, .input = {.dataset = "two-moons", .features = 2}};
    elm_checkpoint *c = NULL;
    elm_error err = {0};
    assert_int_equal(elm_checkpoint_write(scratch_path("vector.h5"), &made, &err), 0);
    if (elm_checkpoint_read(scratch_path("vector.h5"), &c, &err))
        fail_msg("%s", err.text);
    assert_memory_equal(&c->input, &made.input, sizeof c->input);
    elm_checkpoint_free(c);
}

/* Whoever goes on from it would count from there. */
static void impossible_facts_are_refused(void **state)
{
    (void)state;
    const struct {
        double epoch;
        int64_t step;
        int ranks;
        const char *says;
    } wrong[] = {{1, -5, 2, "step"},
                 {-1, 5, 2, "epoch"},
                 {NAN, 5, 2, "epoch"},
                 {INFINITY, 5, 2, "epoch"},
                 {1, 5, 0, "ranks"}};
    const char *path = scratch_path("facts.h5");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        elm_error err = {0};
        elm_checkpoint *got = NULL;
        const elm_checkpoint made = {
            .epoch = wrong[i].epoch, .step = wrong[i].step, .ranks = wrong[i].ranks};
        assert_int_equal(elm_checkpoint_write(path, &made, &err), 0);
        assert_int_equal(elm_checkpoint_read(path, &got, &err), -1);
        assert_null(got);
        assert_non_null(strstr(err.text, wrong[i].says));
    }
}

static void same_content_same_bytes(void **state)
{
    (void)state;
    size_t a, b;
    write_sample(scratch_path("a.h5"), 7);
    sleep(1); /* nor does the hour matter */
    write_sample(scratch_path("b.h5"), 7);
    unsigned char *x = load(scratch_path("a.h5"), &a), *y = load(scratch_path("b.h5"), &b);
    assert_int_equal(a, b);
    assert_memory_equal(x, y, a);
    free(x);
    free(y);
}

static void bad_tensor_name_is_refused(void **state)
{
    (void)state;
    sample *s = make_sample();
    elm_error err = {0};
    strcpy(s->tensors[0].name, "weights/conv1");
    assert_int_equal(elm_checkpoint_write(scratch_path("name.h5"), &s->checkpoint, &err), -1);
    assert_non_null(strstr(err.text, "weights/conv1"));
    memcpy(s->tensors[0].name, s->tensors[1].name, sizeof s->tensors[0].name); /* twice the same */
    assert_int_equal(elm_checkpoint_write(scratch_path("name.h5"), &s->checkpoint, &err), -1);
    assert_int_equal(access(scratch_path("name.h5"), F_OK), -1);
    free_sample(s);
}

static void must_be_refused(const char *path, const char *message)
{
    elm_checkpoint *c = (elm_checkpoint *)1;
    elm_error err = {0};
    assert_int_equal(elm_checkpoint_read(path, &c, &err), -1);
    assert_null(c);
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    if (!strstr(err.text, message) || !strstr(err.text, path))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    must_be_refused(scratch_path("absent.h5"), "No such file");
    must_be_refused(scratch_folder, "not a file");
    save(scratch_path("empty.h5"), "", 0);
    must_be_refused(scratch_path("empty.h5"), "no elmpi checkpoint");
    save(scratch_path("text.h5"), "\x89HDF\r\n\x1a\n and so on", 18);
    must_be_refused(scratch_path("text.h5"), "no elmpi checkpoint");
    char later[1024] = "ELMPI checkpoint 2\nlength 512\n";
    save(scratch_path("later.h5"), later, sizeof later);
    must_be_refused(scratch_path("later.h5"), "not the checkpoint format of this elmpi");
    assert_int_equal(mkfifo(scratch_path("pipe.h5"), 0600), 0);
    must_be_refused(scratch_path("pipe.h5"), "not a file");
}

static void damage_is_found(void **state)
{
    (void)state;
    size_t size;
    const char *path = scratch_path("damaged.h5");
    write_sample(path, 1);
    unsigned char *bytes = load(path, &size);
    const size_t cuts[] = {1, 17, 300, ELM_USER_BLOCK, ELM_USER_BLOCK + 1, size / 2, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        save(path, bytes, cuts[i]);
        must_be_refused(path, cuts[i] < 17 ? "no elmpi checkpoint" : "damaged");
    }
    bytes[size] = 0;
    save(path, bytes, size + 1);
    must_be_refused(path, "damaged");
    const size_t places[] = {
        18,       25,      40, 100, ELM_USER_BLOCK - 1, ELM_USER_BLOCK, ELM_USER_BLOCK + 100,
        size / 2, size - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bytes[places[i]] ^= 1;
        save(path, bytes, size);
        must_be_refused(path, i ? "damaged" : "not the checkpoint format");
        bytes[places[i]] ^= 1;
    }
    save(path, bytes, size);
    assert_int_equal(elm_checkpoint_verify(path, NULL), 0);
    free(bytes);
}

static void flip(const char *path, size_t at, unsigned char mask)
{
    unsigned char byte;
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

/* One bit of every byte of a small file, user block, HDF5's header, data and end; then every
 * length that is too short. */
static void every_byte_is_guarded(void **state)
{
    (void)state;
    elm_tensor tensor = {.name = "model/w",
                         .dimensions = 1,
                         .shape = {4},
                         .count = 4,
                         .data = (float[]){1, 2, 3, 4}};
    const elm_checkpoint c = {
        .ranks = 1, .job = "[run]\n", .git = "g", .tensor_count = 1, .tensors = &tensor};
    const char *path = scratch_path("guarded.h5");
    assert_int_equal(elm_checkpoint_write(path, &c, NULL), 0);
    size_t size;
    unsigned char *bytes = load(path, &size);
    elm_rng rng = elm_rng_stream(6, ELM_RNG_DATA, 0, 0);
    int flips = 0, cuts = 0;
    for (size_t at = 0; at < size; at++, flips++) {
        const unsigned char mask = (unsigned char)(1U << elm_rng_below(&rng, 8));
        flip(path, at, mask);
        assert_int_equal(elm_checkpoint_verify(path, NULL), -1);
        flip(path, at, mask);
    }
    assert_int_equal(elm_checkpoint_verify(path, NULL), 0);
    for (size_t length = size; length-- > 0; cuts++) {
        assert_int_equal(truncate(path, (off_t)length), 0);
        assert_int_equal(elm_checkpoint_verify(path, NULL), -1);
    }
    print_message("%d flipped bits and %d short files found\n", flips, cuts);
    free(bytes);
}

/* Damage below a digest made to fit: whatever HDF5 makes of it, reading ends in an error or a
 * checkpoint. */
static void forged_digest_does_no_harm(void **state)
{
    (void)state;
    const elm_tensor small = {.name = "model/w",
                              .dimensions = 1,
                              .shape = {4},
                              .count = 4,
                              .data = (float[]){1, 2, 3, 4}};
    const elm_progress_value progress = {"images", 3};
    elm_tensor tensor = small;
    elm_progress_value value = progress;
    elm_history_column column = {"loss", EPOCHS, losses};
    const elm_checkpoint c = {.ranks = 1,
                              .job = "[run]\n",
                              .git = "g",
                              .tensor_count = 1,
                              .tensors = &tensor,
                              .classes = CLASSES,
                              .class_names = class_names,
                              .class_count = class_count,
                              .history_count = 1,
                              .history = &column,
                              .progress_count = 1,
                              .progress = &value};
    const char *path = scratch_path("forged.h5");
    assert_int_equal(elm_checkpoint_write(path, &c, NULL), 0);
    size_t size;
    int refused = 0;
    unsigned char *bytes = load(path, &size);
    elm_rng rng = elm_rng_stream(5, ELM_RNG_DATA, 0, 0);
    for (int i = 0; i < 400; i++) {
        unsigned char *byte = bytes + ELM_USER_BLOCK +
                              elm_rng_below(&rng, (uint32_t)(size - ELM_USER_BLOCK)),
                      kept = *byte;
        *byte = (unsigned char)elm_rng_u32(&rng);
        assert_int_equal(
            elm_digest_block(bytes + ELM_USER_BLOCK, size - ELM_USER_BLOCK, (char *)bytes, NULL),
            0);
        save(path, bytes, size);
        elm_checkpoint *read = NULL;
        elm_error err = {0};
        if (elm_checkpoint_read(path, &read, &err)) {
            assert_null(read);
            assert_true(*err.text);
            refused++;
        }
        elm_checkpoint_free(read);
        *byte = kept;
    }
    assert_true(refused > 0);
    free(bytes);
}

/* Writing fails; the old checkpoint is whole, nothing is left over, the error names place and
 * reason. */
static void must_fail_to_write(const char *folder, const char *reason)
{
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    sample *s = make_sample();
    elm_error err = {0};
    const int before = count_entries(folder);
    assert_int_equal(elm_checkpoint_write(path, &s->checkpoint, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    if (!strstr(err.text, reason) || !strstr(err.text, path))
        fail_msg("\"%s\" lacks \"%s\"", err.text, reason);
    assert_int_equal(count_entries(folder), before);
    free_sample(s);
}

static void write_small(const char *folder)
{
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    const elm_checkpoint small = {.job = "", .step = 3, .ranks = 1};
    assert_int_equal(elm_checkpoint_write(path, &small, NULL), 0);
}

static void must_hold_small(const char *folder)
{
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
    elm_checkpoint *c = NULL;
    assert_int_equal(elm_checkpoint_read(path, &c, NULL), 0);
    assert_int_equal(c->step, 3);
    elm_checkpoint_free(c);
}

static void write_beyond_a_limit(void **state)
{
    (void)state;
    const char *folder = scratch_path("limited");
    mkdir(folder, 0777);
    write_small(folder);
    struct rlimit old, low;
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    must_fail_to_write(folder, "file too large");
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    must_hold_small(folder);
}

static void write_to_a_full_disk(void **state)
{
    (void)state;
    const char *folder = scratch_path("full");
    mkdir(folder, 0777);
    /* In a mount table of our own, so that nothing is left behind whatever happens. */
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("elmpi-test", folder, "tmpfs", 0, "size=256k")) {
        print_message("skipped: mounting a small disk needs root (%s)\n", strerror(errno));
        skip();
    }
    write_small(folder);
    must_fail_to_write(folder, "disk full");
    must_hold_small(folder);
    assert_int_equal(umount(folder), 0);
}

static void write_without_permission(void **state)
{
    (void)state;
    const char *folder = scratch_path("closed");
    mkdir(folder, 0777);
    write_small(folder);
    chmod(folder, 0555);
    if (geteuid() == 0) { /* root may write anywhere: ask as nobody */
        fflush(NULL);
        chmod(scratch_folder, 0755);
        const pid_t child = fork();
        if (child == 0) {
            sample *s = make_sample();
            elm_error err = {0};
            char path[600];
            snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
            _exit(setuid(65534) == 0 && elm_checkpoint_write(path, &s->checkpoint, &err) == -1 &&
                          strstr(err.text, "no permission")
                      ? 0
                      : 1);
        }
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    } else
        must_fail_to_write(folder, "no permission");
    must_hold_small(folder);
    chmod(folder, 0777);
    elm_error err = {0};
    const elm_checkpoint small = {.job = "", .ranks = 1};
    assert_int_equal(elm_checkpoint_write(scratch_path("nowhere/x.h5"), &small, &err), -1);
    assert_non_null(strstr(err.text, "No such file"));
}

static int no_leaks(void **state)
{
    (void)state;
    return elm_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(round_trip, no_leaks),
        cmocka_unit_test_teardown(least_checkpoint, no_leaks),
        cmocka_unit_test_teardown(impossible_inputs, no_leaks),
        cmocka_unit_test_teardown(vector_input, no_leaks),
        cmocka_unit_test_teardown(impossible_facts_are_refused, no_leaks),
        cmocka_unit_test_teardown(same_content_same_bytes, no_leaks),
        cmocka_unit_test_teardown(bad_tensor_name_is_refused, no_leaks),
        cmocka_unit_test_teardown(other_files_are_refused, no_leaks),
        cmocka_unit_test_teardown(damage_is_found, no_leaks),
        cmocka_unit_test_teardown(every_byte_is_guarded, no_leaks),
        cmocka_unit_test_teardown(forged_digest_does_no_harm, no_leaks),
        cmocka_unit_test_teardown(write_beyond_a_limit, no_leaks),
        cmocka_unit_test_teardown(write_to_a_full_disk, no_leaks),
        cmocka_unit_test_teardown(write_without_permission, no_leaks),
        cmocka_unit_test(no_handle_left_open),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
