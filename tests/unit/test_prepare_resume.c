/* Preparing images: shards, and what an interrupted preparation leaves. */
#include "unit/prepare_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "prepare/shard_writer.h"

/* Runs in a process that is killed once a certain shard stands there. With one thread: a forked
 * process has no use of the OpenMP threads of its parent. */
static void run_and_be_killed(const char *out, const preparation *p, const char *shard)
{
    const pid_t child = fork();
    if (child == 0) {
        elm_error err;
        if (!freopen("/dev/null", "w", stdout))
            _exit(70);
        run("pictures", out, p, &err);
        _exit(0);
    }
    bool ended = false;
    while (!ended && access(shard, F_OK) != 0) {
        usleep(200);
        ended = waitpid(child, NULL, WNOHANG) == child;
    }
    assert_int_equal(access(shard, F_OK), 0);
    if (ended)
        return;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Killed as soon as a shard is complete, then again after more of them, then run to its end: the
 * same bytes as in one go. */
static void interrupted(void **state)
{
    (void)state;
    char archive[600], out[2][600], command[2000];
    snprintf(archive, sizeof archive, "%s", scratch_path("large.zip"));
    archive_file file = start_archive(archive, "zip");
    open_archive(&file, archive);
    for (int round = 0; round < 12; round++)
        for (int i = 0; i < IMAGES; i++) {
            char name[100];
            snprintf(name, sizeof name, "%d/%d-%d.jpg", image_class(i), round, i);
            add_image(&file, name, i);
        }
    add_file(&file, "1/broken.jpg", "\xff\xd8\xff nothing", 11);
    add_image(&file, "0/0-0.jpg", 3); /* twice */
    end_archive(&file);
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "mkdir -p %s/run%d", scratch_folder, i);
        assert_int_equal(system(command), 0);
        snprintf(out[i], sizeof out[i], "%s/run%d/large.h5", scratch_folder, i);
    }
    preparation p = {{archive}, {.threads = 1, .shard_bytes = 40000}, false};
    prepare("pictures", out[0], &p);
    const int moments[] = {0, 7, 20};
    for (int k = 0; k < 3; k++) {
        snprintf(command, sizeof command, "cd %s/run0 && ls large-*-%05d.tar", scratch_folder,
                 moments[k]);
        char shard[600] = "", shard_path[1300];
        FILE *list = popen(command, "r");
        assert_non_null(fgets(shard, sizeof shard, list));
        pclose(list);
        shard[strcspn(shard, "\n")] = '\0';
        snprintf(shard_path, sizeof shard_path, "%s/run1/%s", scratch_folder, shard);
        run_and_be_killed(out[1], &p, shard_path);
    }
    assert_int_equal(access(scratch_path("run1/large.h5.journal"), F_OK), 0);
    assert_int_not_equal(access(out[1], F_OK), 0);
    preparation other = p;
    other.image_files.no_decode = true;
    refused("pictures", out[1], &other, ELM_EXIT_FAILURE, "run1/large.h5.journal");
    prepare("pictures", out[1], &p);
    snprintf(command, sizeof command, "diff -r %s/run0 %s/run1", scratch_folder, scratch_folder);
    assert_int_equal(system(command), 0);
}

/* A shard of the interrupted run is gone: what it left is not trusted. */
static void shard_lost_in_between(void **state)
{
    (void)state;
    char archive[600], out[600], command[2000];
    snprintf(archive, sizeof archive, "%s", scratch_path("large.zip"));
    snprintf(command, sizeof command, "mkdir -p %s/run2 && cd %s/run0 && ls large-*-00003.tar",
             scratch_folder, scratch_folder);
    char shard[600] = "", shard_path[1300];
    FILE *list = popen(command, "r");
    assert_non_null(fgets(shard, sizeof shard, list));
    pclose(list);
    shard[strcspn(shard, "\n")] = '\0';
    snprintf(shard_path, sizeof shard_path, "%s/run2/%s", scratch_folder, shard);
    snprintf(out, sizeof out, "%s", scratch_path("run2/large.h5"));
    const preparation p = {{archive}, {.threads = 1, .shard_bytes = 40000}, false};
    run_and_be_killed(out, &p, shard_path);
    assert_int_equal(truncate(shard_path, 1000), 0);
    prepare("pictures", out, &p);
    snprintf(command, sizeof command, "diff -r %s/run0 %s/run2", scratch_folder, scratch_folder);
    assert_int_equal(system(command), 0);
}

/* Names of any length, and bytes that are no ASCII, whatever the locale: offsets hold, and tar
 * reads the shard. */
static void shard_names(void **state)
{
    (void)state;
    char path[600], names[4][520] = {"a/b.jpg", "d\xc3\xa9j\xc3\xa0 vu/\xff.jpg"}, command[1400];
    int64_t offsets[4], size_bytes;
    elm_shard_writer *writer = NULL;
    elm_error err = {0};
    snprintf(path, sizeof path, "%s", scratch_path("names.tar"));
    memset(names[2], 'x', 150);
    memset(names[3], 'y', 510);
    names[3][200] = '/';
    assert_int_equal(elm_shard_writer_create(&writer, path, &err), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(elm_shard_writer_add(writer, names[i], (const uint8_t *)names[i],
                                              strlen(names[i]), &offsets[i], &err),
                         0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(elm_shard_writer_finish(writer, &size_bytes, &err), 0);
    FILE *file = fopen(path, "rb");
    for (int i = 0; i < 4; i++) {
        char found[520] = "";
        assert_int_equal(fseek(file, (long)offsets[i], SEEK_SET), 0);
        assert_int_equal(fread(found, 1, strlen(names[i]), file), strlen(names[i]));
        assert_string_equal(found, names[i]);
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_int_equal(ftell(file), size_bytes);
    fclose(file);
    snprintf(command, sizeof command, "test \"$(tar tf '%s' 2>&1 | wc -l)\" -eq 4", path);
    assert_int_equal(system(command), 0);
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupted),
        cmocka_unit_test(shard_lost_in_between),
        cmocka_unit_test(shard_names),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
