/* Output: files are replaced whole and keep their mode, links stay links, devices and pipes are
 * written into, failures change nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/process/process.h"
#include "elmpi/output.h"
#include "unit/scratch.h"

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void must_hold(const char *path, const char *text)
{
    char got[256] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = 0;
    fclose(file);
    assert_string_equal(got, text);
}

static elm_output *must_begin(const char *path, int flags)
{
    elm_output *output = NULL;
    elm_error err = {0};
    if (elm_output_begin(&output, path, flags, &err))
        fail_msg("%s", err.text);
    return output;
}

static void must_commit(elm_output *output)
{
    elm_error err = {0};
    if (elm_output_commit(output, &err))
        fail_msg("%s", err.text);
}

static void replaces_whole_files(void **state)
{
    (void)state;
    char path[600], part[640];
    struct stat about;
    snprintf(path, sizeof path, "%s", scratch_path("whole"));
    put(path, "old");
    assert_int_equal(chmod(path, 0640), 0);
    elm_output *output = must_begin(path, 0);
    snprintf(part, sizeof part, "%s", elm_output_part(output));
    fprintf(elm_output_stream(output), "new %d", 1);
    must_hold(path, "old");
    must_commit(output);
    must_hold(path, "new 1");
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0640);
    assert_int_not_equal(access(part, F_OK), 0);
    output = must_begin(path, ELM_OUTPUT_PART);
    fprintf(elm_output_stream(output), "%s", "given up");
    elm_output_abandon(output);
    must_hold(path, "new 1");
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_not_equal(access(part, F_OK), 0);
}

/* What lies under the temporary name is not written through. */
static void ignores_planted_links(void **state)
{
    (void)state;
    char path[600], part[640], victim[600];
    snprintf(path, sizeof path, "%s", scratch_path("aim"));
    snprintf(part, sizeof part, "%s.part", path);
    snprintf(victim, sizeof victim, "%s", scratch_path("victim"));
    put(victim, "mine");
    assert_int_equal(symlink(victim, part), 0);
    elm_output *output = must_begin(path, ELM_OUTPUT_PART);
    elm_output_write(output, "x", 1);
    must_commit(output);
    must_hold(path, "x");
    must_hold(victim, "mine");
}

static void keeps_links(void **state)
{
    (void)state;
    char folder[600], link[700], target[700], dangling[700];
    struct stat about;
    snprintf(folder, sizeof folder, "%s", scratch_path("links"));
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(dangling, sizeof dangling, "%s/circle", folder);
    assert_int_equal(symlink("target", link), 0);
    for (int i = 0; i < 2; i++) { /* to nothing, to a file */
        assert_int_equal(elm_output_write_file(link, i ? "two" : "one", 3, NULL), 0);
        assert_int_equal(lstat(link, &about), 0);
        assert_true(S_ISLNK(about.st_mode));
        must_hold(target, i ? "two" : "one");
    }
    elm_error err = {0};
    assert_int_equal(symlink("circle", dangling), 0);
    assert_int_equal(elm_output_write_file(dangling, "x", 1, &err), -1);
    assert_non_null(strstr(err.text, "circle"));
}

static void writes_into_devices(void **state)
{
    (void)state;
    struct stat about;
    elm_error err = {0};
    assert_int_equal(elm_output_write_file("/dev/null", "x", 1, &err), 0);
    assert_int_equal(stat("/dev/null", &about), 0);
    assert_true(S_ISCHR(about.st_mode));
    assert_int_equal(elm_output_write_file("/dev/full", "x", 1, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    assert_non_null(strstr(err.text, "/dev/full): disk full"));
    /* of a stream too, whose later calls might work */
    elm_output *output = must_begin("/dev/full", 0);
    for (int i = 0; i < 10000; i++)
        fprintf(elm_output_stream(output), "line %d\n", i);
    assert_int_equal(elm_output_commit(output, &err), -1);
    assert_int_equal(elm_output_begin(&output, "/dev/null", ELM_OUTPUT_SEEK, &err), -1);
    assert_null(output);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_int_equal(elm_output_begin(&output, scratch_path(""), 0, &err), -1);
    assert_non_null(strstr(err.text, "folder"));
}

static void writes_into_pipes(void **state)
{
    (void)state;
    char fifo[600], got[8] = "";
    snprintf(fifo, sizeof fifo, "%s", scratch_path("fifo"));
    assert_int_equal(mkfifo(fifo, 0666), 0);
    const int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(elm_output_write_file(fifo, "hello", 5, NULL), 0);
    assert_int_equal(read(reader, got, sizeof got - 1), 5);
    assert_string_equal(got, "hello");
    elm_output *output = must_begin(fifo, 0);
    close(reader);
    signal(SIGPIPE, SIG_IGN);
    elm_error err = {0};
    elm_output_write(output, "x", 1);
    assert_int_equal(elm_output_commit(output, &err), -1);
    assert_non_null(strstr(err.text, "Broken pipe"));
}

static void knows_stdout(void **state)
{
    (void)state;
    assert_true(elm_output_is_stdout("-"));
    assert_true(elm_output_is_stdout("/dev/stdout"));
    assert_true(elm_output_is_stdout("/dev/fd/1"));
    assert_false(elm_output_is_stdout("/dev/fd/12x"));
    assert_false(elm_output_is_stdout("/dev/fd/"));
    assert_false(elm_output_is_stdout("./-"));
    assert_false(elm_output_is_stdout(NULL));
}

/* Too long, in a folder that is not there, over the limit: an error, and nothing changes. */
static void failures_change_nothing(void **state)
{
    (void)state;
    char path[600], longest[900];
    elm_error err = {0};
    snprintf(path, sizeof path, "%s", scratch_path("kept"));
    put(path, "kept");
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){2, 2});
        _exit(elm_output_write_file(path, "too much", 8, &err) == -1 &&
                      strstr(err.text, "file too large")
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    must_hold(path, "kept");
    assert_int_equal(elm_output_write_file(scratch_path("no/such/folder"), "x", 1, &err), -1);
    assert_non_null(strstr(err.text, "No such file"));
    /* the longest name that a folder takes */
    snprintf(longest, sizeof longest, "%s%0255d", scratch_path(""), 7);
    assert_int_equal(elm_output_write_file(longest, "x", 1, &err), 0);
    must_hold(longest, "x");
    snprintf(longest, sizeof longest, "%s%0256d", scratch_path(""), 7);
    assert_int_equal(elm_output_write_file(longest, "x", 1, &err), -1);
    assert_int_equal(elm_output_write_file("", "x", 1, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
}

static void ends_without_traces(void **state)
{
    (void)state;
    elm_output *one = must_begin(scratch_path("one"), 0),
               *two = must_begin(scratch_path("two"), ELM_OUTPUT_PART);
    elm_process_remove_unfinished();
    assert_int_not_equal(access(elm_output_part(one), F_OK), 0);
    assert_int_not_equal(access(elm_output_part(two), F_OK), 0);
    elm_output_abandon(one);
    elm_output_abandon(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_whole_files), cmocka_unit_test(ignores_planted_links),
        cmocka_unit_test(keeps_links),          cmocka_unit_test(writes_into_devices),
        cmocka_unit_test(writes_into_pipes),    cmocka_unit_test(knows_stdout),
        cmocka_unit_test(ends_without_traces),  cmocka_unit_test(failures_change_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
